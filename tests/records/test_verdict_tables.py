import pandas as pd
import pytest

from workflow_scripts.records.verdict_tables import verdicts

VIEWS = [
    ("within_eval", "pearson_r"),
    ("within_eval", "spearman"),
    ("out_of_domain_within", "pearson_r"),
    ("with_controls_within", "pearson_r"),
]


def correlations(metric, r, highs, p, p_holm):
    """A metric's correlation in each view, with the upper ends of its intervals."""
    panel = {"experiment": "one", "part": "whole", "tokens": 100, "metric": metric}
    return [
        {**panel, "scope": scope, "statistic": statistic, "value": r, "ci_low": r - 0.1, "ci_high": high}
        | {"p_permutation": p, "p_holm": p_holm}
        for (scope, statistic), high in zip(VIEWS, highs, strict=True)
    ]


@pytest.mark.parametrize(
    ("highs", "p_holm", "said"),
    [
        ([-0.2, -0.2, -0.2, -0.2], 0.04, "yes"),
        ([-0.2, -0.2, -0.2, -0.2], 0.06, "fragile"),
        ([-0.2, -0.2, 0.1, -0.2], 0.04, "fragile"),
        ([0.1, 0.1, 0.1, 0.1], 0.04, "no"),
        ([-0.2, -0.2, float("nan"), -0.2], 0.04, "not tested"),
        ([-0.2, -0.2, -0.2, -0.2], float("nan"), "not tested"),
    ],
)
def test_yes_takes_every_view_and_a_test(highs, p_holm, said):
    table = pd.DataFrame(correlations("a", -0.6, highs, 0.01, p_holm))
    assert verdicts(lambda _: table, {"experiment": "one"})["predicts loss"].tolist() == [said]


def test_the_closest_to_loss_is_first_and_small_p_are_bounds():
    table = pd.DataFrame(
        correlations("far", -0.3, [-0.1] * 4, 0.0123, 0.0246)
        + correlations("near", -0.9, [-0.7] * 4, 0.0001, 0.0002)
    )
    shown = verdicts(lambda _: table, {"experiment": "one"})
    assert shown["metric"].tolist() == ["near", "far"]
    assert shown["Pearson"].tolist() == ["−0.90 (−1.00 to −0.70)", "−0.30 (−0.40 to −0.10)"]
    assert shown["p"].tolist() == ["< 0.001", "0.012"]
    assert shown["p, Holm"].tolist() == ["< 0.001", "0.025"]
