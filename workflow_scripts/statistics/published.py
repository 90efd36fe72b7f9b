"""Analyses the paper's own numbers with the same functions as our runs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.statistics.association import NAN, Association, Scope, associate
from workflow_scripts.statistics.correlation import Grid, variance_between_eval
from workflow_scripts.statistics.grids import grid_of

COLUMNS = ("table", "scope", "statistic", "value", "ci_low", "ci_high", "n", "note")


@dataclass(frozen=True)
class PublishedTable:
    """The location of a table of the paper: file, columns, and rows if a file has several targets."""

    name: str
    file: str
    loss: str
    alignment: str = "alignment"
    target: str = ""

    def points(self, frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
        """One row per pair: train_set, eval_set, alignment, alignment_pm, loss, in_domain."""
        frame = frames[self.file]
        if self.target:
            frame = frame[frame["target"] == self.target]
        points = pd.DataFrame(
            {
                "table": self.name,
                "train_set": frame["train_set"],
                "eval_set": frame.get("eval_set", self.target or "proofnet_test"),
                "alignment": frame[self.alignment],
                "alignment_pm": frame.get("alignment_pm", np.nan),
                "loss": frame[self.loss],
                "in_domain": frame["in_domain"].astype(bool),
            }
        )
        return points[points["alignment"].notna()].reset_index(drop=True)


GZIP = "gzip_alignment_to_proofnet_test"
TABLES = (
    PublishedTable("pretraining_new", "pretraining", "ce_new_figure"),
    PublishedTable("pretraining_old", "pretraining", "ce_old_figure"),
    PublishedTable("finetuning_af", "finetuning_task2vec", "perplexity", target="af"),
    PublishedTable("finetuning_docstring", "finetuning_task2vec", "perplexity", target="docstring"),
    PublishedTable("gzip_gpt2_20k", "finetuning_gzip", "ce_gpt2_20k", GZIP),
    PublishedTable("gzip_gpt2_4k", "finetuning_gzip", "ce_gpt2_4k", GZIP),
    PublishedTable("gzip_llama3_8b_4k", "finetuning_gzip", "ce_llama3_8b_4k", GZIP),
    PublishedTable("gzip_unlabelled", "finetuning_gzip", "ce_unlabelled_large", GZIP),
)
# Sets made from each other, or from one source: the mix contains both corpora, the split set is AF with separated
# pairs, and both sets of docstrings come from The Stack.
FAMILIES = {
    **dict.fromkeys(("pubmed", "uspto", "mix"), "pubmed and uspto"),
    **dict.fromkeys(("AF-split", "AF-Split"), "AF"),
    "Docstring2": "Docstring",
}
FILES = tuple(dict.fromkeys(table.file for table in TABLES))


def published_points(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Every pair of every table."""
    return pd.concat([table.points(frames) for table in TABLES], ignore_index=True)


def analyse_points(points: pd.DataFrame, permutations: int, seed: int) -> pd.DataFrame:
    """All scopes and statistics of every table, one number per row."""
    rows: list[dict[str, Any]] = []
    for name, frame in points.groupby("table", sort=False):
        train_sets, eval_sets = list(frame["train_set"].unique()), list(frame["eval_set"].unique())
        alignment, loss, near = (
            grid_of(frame, column, train_sets, eval_sets) for column in ("alignment", "loss", "in_domain")
        )
        families = [FAMILIES.get(train_set, train_set) for train_set in train_sets]
        numbers = np.unique(families, return_inverse=True)[1]
        for scope in _scopes(near > 0):
            pearson, spearman = (
                associate(
                    alignment,
                    loss,
                    scope,
                    permutations=permutations,
                    seed=seed,
                    rank=rank,
                    families=numbers,
                )
                for rank in (False, True)
            )
            rows += [
                {"table": name, "scope": scope.name, **row}
                for row in _statistics(pearson, spearman, loss, scope)
            ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _scopes(near: Any) -> list[Scope]:
    everywhere, away = np.ones_like(near), ~near
    if near.shape[1] == 1:
        return [Scope("pooled", "pooled", everywhere), Scope("without_in_domain", "pooled", away)]
    return [
        Scope("pooled", "pooled", everywhere),
        Scope("within_eval", "within_eval", everywhere),
        Scope("double_centred", "double_centred", everywhere),
        Scope("out_of_domain_pooled", "pooled", away),
        Scope("out_of_domain_within", "within_eval", away),
    ]


def _statistics(
    pearson: Association, spearman: Association, loss: Grid, scope: Scope
) -> Iterator[dict[str, Any]]:
    def row(
        statistic: str, value: float, low: float = NAN, high: float = NAN, note: str = ""
    ) -> dict[str, Any]:
        interval = {"ci_low": low, "ci_high": high}
        return {"statistic": statistic, "value": value, **interval, "n": pearson.n_points, "note": note}

    yield row("pearson_r", pearson.value, pearson.ci_low, pearson.ci_high, pearson.note)
    yield row("r2", pearson.value**2, *squared_interval(pearson.ci_low, pearson.ci_high), pearson.note)
    yield row("spearman", spearman.value, spearman.ci_low, spearman.ci_high, spearman.note)
    yield row("p_naive", pearson.p_naive, note="treats all pairs as independent")
    tested = np.isfinite(pearson.p_permutation)
    about_p = f"cannot fall below {pearson.p_smallest:.3g}" if tested else pearson.note
    yield row("p_permutation", pearson.p_permutation, note=about_p)
    if loss.shape[1] > 1 and scope.centring == "pooled":
        present = (scope.cells & np.isfinite(loss)).astype(float)
        yield row("variance_between_eval", float(variance_between_eval(np.nan_to_num(loss), present)))


def squared_interval(low: float, high: float) -> tuple[float, float]:
    """The interval of r2 from an interval of r; its lower end is 0 if r may be 0."""
    ends = sorted((low * low, high * high))
    return (0.0 if low <= 0 <= high else ends[0]), ends[1]
