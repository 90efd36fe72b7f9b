"""A verdict from four sides."""

import numpy as np
import pandas as pd

from workflow_scripts.statistics.views import first_by_view, fragile, views_of

SCOPES = ("within_eval", "out_of_domain_within", "with_controls_within")


def table(values: dict[str, list[float]], half: float = np.nan) -> pd.DataFrame:
    """r of each metric: Pearson's, out of domain, with controls, and last Spearman's."""
    places = [*((scope, "pearson_r") for scope in SCOPES), ("within_eval", "spearman")]
    return pd.DataFrame(
        {
            "scope": scope,
            "statistic": statistic,
            "metric": metric,
            "value": r,
            "ci_low": r - half,
            "ci_high": r + half,
        }
        for metric, found in values.items()
        for (scope, statistic), r in zip(places, found, strict=True)
    )


def test_the_first_measure_of_each_view() -> None:
    views = views_of(table({"a": [-0.9, -0.2, -0.9, -0.7], "b": [-0.8, -0.5, -0.8, -0.8]}), "within_eval")
    assert first_by_view(views) == {"Pearson": "a", "ranks": "b", "out of domain": "b", "with controls": "a"}


def test_a_changed_sign_is_fragile() -> None:
    views = views_of(table({"a": [-0.9, 0.2, -0.9, -0.7], "b": [-0.9, -0.2, -0.9, -0.7]}), "within_eval")
    assert fragile(views, "a") == "out of domain" and fragile(views, "b") == ""


def test_an_interval_that_takes_zero_in_is_fragile() -> None:
    views = views_of(table({"a": [-0.9, -0.2, -0.5, -0.1]}, half=0.3), "within_eval")
    assert fragile(views, "a") == "ranks, out of domain"


def test_views_that_a_run_lacks_are_left_out() -> None:
    rows = table({"a": [-0.9, np.nan, -0.9, -0.7]})
    views = views_of(rows[rows["scope"] != "with_controls_within"], "within_eval")
    assert list(views["view"]) == ["Pearson", "ranks"] and fragile(views, "missing") == ""
