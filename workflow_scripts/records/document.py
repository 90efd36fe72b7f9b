"""The tables of docs/results/*.md, written between markers from the tables of a recorded run.

A marker names the run, the table and its options; the text between it and the end is replaced:

    <!-- table real league experiment=formal part=answer -->
    <!-- end of table -->
"""

import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from workflow_scripts.errors import UserError
from workflow_scripts.records.choice_tables import choices, equal_cost, predictions
from workflow_scripts.records.curve_tables import best_fisher, rows_curve
from workflow_scripts.records.markdown import NOTHING, markdown, of_number, of_panel, with_interval
from workflow_scripts.records.outside_tables import proxies, ranking, rivals
from workflow_scripts.records.probe_tables import probes
from workflow_scripts.records.verdict_tables import verdicts
from workflow_scripts.report.ngram_sentences import ngram_sentences
from workflow_scripts.statistics.ngram_gaps import ngram_gaps
from workflow_scripts.statistics.views import PEARSON, VIEWS, fragile, views_of
from workflow_scripts.storage.tables import read_frame

BLOCK = re.compile(
    r"(?P<begin><!-- table (?P<run>\S+) (?P<name>\w+)(?P<options>(?: \w+=\S+)*) -->\n)"
    r".*?"
    r"(?P<end><!-- end of table -->)",
    re.DOTALL,
)
FIGURE = re.compile(r"\((?P<path>(?:[^/)]+/)?(?P<run>[^/)]+)/(?P<figure>[^/)]+\.svg))\)")

LINE_WIDTH = 120


@dataclass(frozen=True)
class Analysis:
    """The tables of one run, read for one marker."""

    folder: Path
    marker: str

    def __call__(self, name: str) -> pd.DataFrame:
        if not self.has(name):
            raise UserError(f"table {self.marker} needs {self._path(name)}, which is missing")
        return read_frame(self._path(name))

    def has(self, name: str) -> bool:
        return self._path(name).is_file()

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.parquet"


def written(text: str, runs: Path) -> str:
    """The document with every table regenerated; `runs` contains a folder per run."""

    def replaced(match: re.Match[str]) -> str:
        options = dict(word.split("=", 1) for word in match["options"].split())
        maker = TABLES.get(match["name"])
        if maker is None:
            raise UserError(f"table {match['name']}: unknown name; known are {', '.join(TABLES)}")
        table = Analysis(runs / match["run"], match["name"])
        text = markdown(maker(table, options))
        if match["name"] in NOTES and (note := NOTES[match["name"]](table, options)):
            text += "\n" + "\n".join(textwrap.wrap(note, LINE_WIDTH)) + "\n"
        return match["begin"] + text + match["end"]

    return BLOCK.sub(replaced, text)


def figures_named(text: str) -> list[tuple[str, str, str]]:
    """(path, run, file name) of every figure of a recorded run that the document shows; the path as in the document."""
    return sorted({(match["path"], match["run"], match["figure"]) for match in FIGURE.finditer(text)})


def league(table: Analysis, options: Mapping[str, str]) -> pd.DataFrame:
    """How well each metric predicts loss, and how well it chooses training data, the best predictor first.

    With more_rows=best, the table includes the best Fisher measure at its best number of rows.
    """
    correlation = (
        of_panel(table("analysis/correlation"), options)
        .set_index(["scope", "statistic", "metric"])
        .sort_index()
    )
    choice = of_panel(table("analysis/choice"), options)
    choice = choice[(choice["candidates"] == "all") & choice["eval_set"].isna()].set_index("metric")
    cost = of_panel(table("analysis/choice_cost"), options)
    cost = cost[(cost["candidates"] == "all") & cost["eval_set"].isna()].set_index("metric")
    centred = correlation.loc[("double_centred", "pearson_r")]
    rows = []
    order = centred["value"].sort_values()
    for metric in order.index:
        given = ("within_eval", "partial_r_given_unigram_js", metric)
        rows.append(
            {
                "metric": metric,
                "pooled r": of_number(correlation.loc[("pooled", "pearson_r", metric), "value"]),
                "within r": _interval(correlation.loc[("within_eval", "pearson_r", metric)]),
                "double-centred r": _interval(centred.loc[metric]),
                "within r, given unigram_js": (
                    _interval(correlation.loc[given]) if given in correlation.index else NOTHING
                ),
                "best set chosen": of_number(choice.loc[metric, "top1"]),
                "regret, nats": with_interval(choice.loc[metric], "regret", "regret_low", "regret_high", 3),
                "seconds": of_number(cost.loc[metric, "cost_seconds"], 1),
            }
        )
    fisher = best_fisher(table, options) if options.get("more_rows") == "best" else None
    if fisher is not None:
        r, line = fisher
        rows.insert(int((order < r).sum()), line)
    return pd.DataFrame(rows).fillna(NOTHING)


def views(table: Analysis, options: Mapping[str, str]) -> pd.DataFrame:
    """Correlation and regret of every metric in four views; a result that changes between views is fragile."""
    correlation = of_panel(table("analysis/correlation"), options)
    several = correlation.loc[correlation["scope"] == "within_eval", "n_eval"].max() > 1
    found = views_of(correlation, "within_eval" if several else "pooled")
    choice = of_panel(table("analysis/choice"), options)
    regret = choice[choice["eval_set"].isna()].pivot_table(
        index="metric", columns="candidates", values="regret"
    )
    wide = found.pivot_table(index="metric", columns="view", values="value").sort_values(PEARSON)
    rows = []
    for metric in wide.index:
        shown = {view: of_number(wide.loc[metric, view]) for view in VIEWS if view in wide}
        names = {
            "all": "regret",
            "out_of_domain": "regret, out of domain",
            "with_controls": "regret, with controls",
        }
        chosen = {
            name: of_number(regret.loc[metric, candidates], 3)
            for candidates, name in names.items()
            if candidates in regret
        }
        rows.append({"metric": metric, **shown, "fragile": fragile(found, metric) or NOTHING, **chosen})
    return pd.DataFrame(rows)


def budgets(table: Analysis, options: Mapping[str, str]) -> pd.DataFrame:
    """Correlation of every metric with loss at each budget: does the order change with more tokens?"""
    frame = table("analysis/correlation")
    scope = options.get("scope", "double_centred")
    chosen = frame[
        (frame["experiment"] == options["experiment"])
        & (frame["part"] == options.get("part", "whole"))
        & (frame["scope"] == scope)
        & (frame["statistic"] == "pearson_r")
    ]
    wide = chosen.pivot_table(index="metric", columns="tokens", values="value")
    wide = wide.sort_values(wide.columns[-1])
    shown = wide.map(of_number).rename(columns=lambda tokens: f"{tokens:,} tokens")
    return shown.reset_index()


def differences(table: Analysis, options: Mapping[str, str]) -> pd.DataFrame:
    """Difference of two metrics' correlations on the same resamples; below zero, the first correlates more closely."""
    frame = of_panel(table("analysis/metric_differences"), options)
    frame = frame[frame["scope"] == options.get("scope", "double_centred")]
    ours = options["metric"].split(",")
    # A pair is stored once, so its sign may have to be flipped for the requested metric.
    turned = frame.rename(
        columns={"metric": "other", "other": "metric", "r_metric": "r_other", "r_other": "r_metric"}
    )
    turned = turned.assign(
        difference=-frame["difference"], ci_low=-frame["ci_high"], ci_high=-frame["ci_low"]
    )
    both = pd.concat([frame, turned], ignore_index=True)
    rows = []
    for metric in ours:
        own = both[(both["metric"] == metric) & ~both["other"].isin(ours)]
        for _, row in own.sort_values("difference").iterrows():
            rows.append(
                {
                    "metric": metric,
                    "against": row["other"],
                    "r": of_number(row["r_metric"]),
                    "its r": of_number(row["r_other"]),
                    "difference": with_interval(row, "difference", "ci_low", "ci_high"),
                }
            )
    return pd.DataFrame(rows)


def exchange(table: Analysis, options: Mapping[str, str]) -> pd.DataFrame:
    """Tokens needed, relative to the target's own training set, for that set's loss at each level.

    Rows are the shares of the target in a grid, or the training sets of another experiment on one evaluation set.
    """
    frame = table("analysis/exchange_rate")
    frame = frame[
        (frame["experiment"] == options["experiment"]) & (frame["part"] == options.get("part", "whole"))
    ]
    if "eval_set" in options:
        frame = frame[frame["eval_set"] == options["eval_set"]]
    if frame["eval_set"].nunique() > 1:
        raise UserError(
            f"table exchange experiment={options['experiment']}: set eval_set to one evaluation set"
        )
    frame = frame.sort_values(["fraction", "train_set"], ascending=[False, True])
    rows = []
    for name, of_set in frame[frame["train_set"] != frame["reference"]].groupby("train_set", sort=False):
        share = of_set["fraction"].iloc[0]
        rows.append(
            {
                "training set": name,
                **({} if pd.isna(share) else {"share of the target": f"{100 * share:.0f}%"}),
                **{
                    f"at {row['level_tokens']:,} tokens": f"{row['label'] or NOTHING}{_span(row)}"
                    for _, row in of_set.sort_values("level_tokens").iterrows()
                },
                "each doubling": _times(of_set["trend"].iloc[0]),
                "runs": of_set["n_runs"].iloc[0],
            }
        )
    return pd.DataFrame(rows)


def _span(row: Mapping[str, Any]) -> str:
    """Both ends, each with a sign if the budgets make it a bound; empty for one run or if the value is a bound."""
    same = row["low_reached"] == row["high_reached"] != "within"
    if pd.isna(row["k_low"]) or same:
        return ""
    low, high = (
        {"before": "< ", "never": "> "}.get(row[f"{name}_reached"], "") + of_number(row[f"k_{name}"])
        for name in ("low", "high")
    )
    return f" ({low} to {high})"


def _times(factor: float) -> str:
    return NOTHING if pd.isna(factor) else f"x {of_number(factor)}"


def switches(table: Analysis, options: Mapping[str, str]) -> pd.DataFrame:
    """The effect of each defect of the released algorithm, corrected or brought back one at a time."""
    frame = table("analysis/switches")
    return pd.DataFrame(
        {
            "variant": list(frame["variant"]),
            "mean alignment": [of_number(value, 3) for value in frame["alignment_mean"]],
            "change": [
                with_interval(
                    row,
                    "change_of_alignment",
                    "change_of_alignment_low",
                    "change_of_alignment_high",
                    3,
                )
                for _, row in frame.iterrows()
            ],
            "Kendall tau of the ranking": [
                with_interval(row, "kendall_tau", "kendall_tau_low", "kendall_tau_high")
                for _, row in frame.iterrows()
            ],
            "tau of halves": [of_number(value) for value in frame["tau_of_halves"]],
            "pooled r": [of_number(value) for value in frame["r_pooled"]],
            "within r": [of_number(value) for value in frame["r_within_eval"]],
        }
    )


def losses(table: Analysis, options: Mapping[str, str]) -> pd.DataFrame:
    """Loss in nats per token, a row per training set, a column per evaluation set, means over seeds.

    In parentheses the loss of an n-gram model of the same tokens, if the run has it.
    """
    frame = of_panel(table("losses/loss_summary"), options)
    wide = frame.pivot_table(index="train_set", columns="eval_set", values="loss", sort=False)
    wanted = options.get("eval_sets")
    wide = wide[wanted.split(",")] if wanted else wide
    shown = wide.map(of_number)
    gaps = _gaps(table, options)
    if len(gaps):
        counted = gaps.pivot_table(index="train_set", columns="eval_set", values="ngram_loss")
        counted = counted.reindex(index=wide.index, columns=wide.columns).map(of_number)
        shown = shown + " (" + counted + ")"
    return shown.reset_index().rename(columns={"train_set": "trained on"})


def _note_on_ngrams(table: Analysis, options: Mapping[str, str]) -> str:
    """Explains the numbers in parentheses and compares the models; empty for a record without n-gram losses."""
    gaps = _gaps(table, options)
    if gaps.empty:
        return ""
    order = int(gaps["order"].iloc[0])
    parentheses = f"In parentheses: a {order}-gram model (modified Kneser-Ney) of the same training tokens."
    return " ".join([parentheses, *ngram_sentences(gaps)])


def _gaps(table: Analysis, options: Mapping[str, str]) -> pd.DataFrame:
    """Losses of models and of n-gram models, for the panel of a table of losses."""
    models = of_panel(table("losses/loss_summary"), options)
    if not table.has("losses/ngram_summary"):
        return models.head(0)
    return ngram_gaps(models, table("losses/ngram_summary"))


def variants(table: Analysis, options: Mapping[str, str]) -> pd.DataFrame:
    """Skill on the half of the evaluation sets not used to choose: mean over splits, and the range of 95% of them."""
    frame = table("analysis/fisher_variants")
    frame = frame[
        (frame["experiment"] == options["experiment"])
        & (frame["part"] == options.get("part", "whole"))
        & (frame["of"] == "other half")
    ].sort_values("double_centred_r")
    return pd.DataFrame(
        {
            "measure": list(frame["name"]),
            **{
                shown: [
                    with_interval(row, name, f"{name}_low", f"{name}_high", digits)
                    for _, row in frame.iterrows()
                ]
                for shown, name, digits in (
                    ("double-centred r", "double_centred_r", 2),
                    ("within r", "within_r", 2),
                    ("regret, nats", "regret", 3),
                )
            },
        }
    )


def _interval(row: pd.Series) -> str:
    return with_interval(row, "value", "ci_low", "ci_high")


TABLES: dict[str, Callable[[Analysis, Mapping[str, str]], pd.DataFrame]] = {
    maker.__name__: maker
    for maker in (
        *(league, views, budgets, differences, exchange, switches, losses, variants),
        *(choices, equal_cost, predictions),
        *(ranking, proxies, rivals, probes, rows_curve, verdicts),
    )
}
NOTES: dict[str, Callable[[Analysis, Mapping[str, str]], str]] = {"losses": _note_on_ngrams}
"""Sentences below a table, from the same run."""
