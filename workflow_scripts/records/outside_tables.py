"""Tables of the results about recorded experiments."""

from collections.abc import Callable, Mapping

import pandas as pd

from workflow_scripts.records.markdown import NOTHING, with_interval
from workflow_scripts.statistics.mixture_ranking import ALL, MEAN

Analysis = Callable[[str], pd.DataFrame]
HEADINGS = {MEAN: "mean over targets", ALL: "all at once"}


def ranking(table: Analysis, options: Mapping[str, str]) -> pd.DataFrame:
    """Rank correlations of predictors without training runs: baselines, and every measure by one predictor and kernel.

    The difference to the own share is paired; the best of the first experiment comes first.
    """
    rows, against = table("analysis/effective_tokens"), table("analysis/effective_token_differences")
    scope, kernel = options.get("scope", "all"), options.get("kernel", "root")
    predictor = options.get("predictor", "effective_tokens")
    experiments = options["experiments"].split(",")
    rows = rows[(rows["scope"] == scope) & (rows["proxies"] == 0)]
    chosen = rows[
        (rows["predictor"] == "baseline")
        | ((rows["predictor"] == predictor) & rows["kernel"].isin([kernel, ""]))
    ]
    against = against[
        (against["scope"] == scope)
        & (against["other_metric"] == "own_share")
        & (against["predictor"].isin([predictor, "baseline"]))
        & (against["kernel"].isin([kernel, ""]))
    ]
    keys = ["experiment", "eval_set", "metric"]
    values, differences = chosen.set_index(keys).sort_index(), against.set_index(keys).sort_index()
    first = values.loc[(experiments[0], MEAN), "spearman"].sort_values(ascending=False)
    kinds = [kind for kind in HEADINGS if (experiments[0], kind) in values.index.droplevel("metric")]
    found = []
    for metric in first.index:
        line = {"predictor": metric}
        for experiment in experiments:
            for kind in kinds:
                key = (experiment, kind, metric)
                line[f"{experiment}, {HEADINGS[kind]}"] = _interval(values, key, "spearman")
            key = (experiment, MEAN, metric)
            line[f"{experiment}, mean less own share"] = _interval(differences, key, "difference")
        found.append(line)
    return pd.DataFrame(found)


def proxies(table: Analysis, options: Mapping[str, str]) -> pd.DataFrame:
    """Rank correlations by the number of runs that a predictor learned from."""
    rows = table("analysis/effective_tokens")
    rows = rows[
        (rows["experiment"] == options["experiment"])
        & (rows["scope"] == options.get("scope", "all"))
        & (rows["eval_set"] == options.get("eval_set", MEAN))
        & rows["predictor"].isin(["law", "regression"])
    ]
    counts = sorted(rows["proxies"].unique())
    values = rows.set_index(["metric", "proxies"]).sort_index()
    order = values.xs(counts[0], level="proxies")["spearman"].sort_values(ascending=False).index
    return pd.DataFrame(
        {
            "learned with": [
                name if "_r" in name or name == "flat_prior" else f"law, {name}" for name in order
            ],
            **{str(n): [_interval(values, (name, n), "spearman") for name in order] for n in counts},
        }
    )


def rivals(table: Analysis, options: Mapping[str, str]) -> pd.DataFrame:
    """Paired differences: rank correlation of one measure's prediction minus that of each other predictor."""
    rows = table("analysis/effective_token_differences")
    rows = rows[
        (rows["experiment"] == options["experiment"])
        & (rows["scope"] == "all")
        & (rows["predictor"] == options.get("predictor", "effective_tokens"))
        & (rows["other_predictor"] == options.get("predictor", "effective_tokens"))
        & (rows["kernel"] == options.get("kernel", "root"))
        & (rows["proxies"] == int(options.get("proxies", "0")))
    ]
    metric = options["metric"]
    forward = rows[rows["metric"] == metric].rename(columns={"other_metric": "against"})
    backward = rows[rows["other_metric"] == metric].assign(against=rows["metric"])
    turned = {"difference": -backward["difference"], "ci_low": -backward["ci_high"]}
    backward = backward.assign(**turned, ci_high=-backward["ci_low"])
    both = pd.concat([forward, backward])[["against", "eval_set", "difference", "ci_low", "ci_high"]]
    values = both.set_index(["against", "eval_set"])
    order = values.xs(MEAN, level="eval_set")["difference"].sort_values().index
    return pd.DataFrame(
        {
            f"{metric} less": list(order),
            **{
                heading: [_interval(values, (name, kind), "difference") for name in order]
                for kind, heading in HEADINGS.items()
            },
        }
    )


def _interval(values: pd.DataFrame, key: tuple, column: str) -> str:
    if key not in values.index:
        return NOTHING
    row = values.loc[key]
    if isinstance(row, pd.DataFrame):
        row = row.iloc[0]
    return with_interval(row.to_dict(), column, "ci_low", "ci_high", 3)
