"""The answer to a rank question: a table, a sentence and warnings."""

from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.choosing.measured import Measured
from workflow_scripts.choosing.ranking import Ranking, rank, sentence, what_would_settle
from workflow_scripts.choosing.verification import ShortRuns
from workflow_scripts.choosing.warnings import of_candidate, of_target
from workflow_scripts.choosing.worth import constants_of


def ranking_answer(
    measured: Measured, draws: int, seed: int, runs: ShortRuns | None = None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The table, with a row per candidate, the sentence, what would settle an undecided ranking, and the warnings."""
    deciding = measured.metrics[0]
    ranking = rank(measured.alignments(deciding), measured.tokens, constants_of(deciding), draws, seed, runs)
    warnings = {name: of_candidate(measured, name) for name in measured.candidates}
    answer = {
        "target": measured.target,
        "sentence": sentence(ranking),
        "what_would_settle_it": what_would_settle(ranking, runs.candidates if runs else ()),
        "deciding_metric": deciding,
        "warnings": {
            name: found for name, found in {measured.target: of_target(measured), **warnings}.items() if found
        },
        "examples": {
            name: {key: survey[key] for key in ("nearest", "farthest")}
            for name, survey in measured.surveys.items()
        },
        "leaks": {name: survey["leaks"]["pairs"] for name, survey in measured.surveys.items()},
    }
    table = _with_measures(ranking, measured)
    table["warnings"] = [" ".join(warnings[name]) for name in table["candidate"]]
    if runs is not None:
        for column, values in (("loss", runs.losses), ("loss_se", runs.loss_errors)):
            table[column] = pd.Series(values, runs.candidates).reindex(table["candidate"]).to_numpy()
    return table, answer


def _with_measures(ranking: Ranking, measured: Measured) -> pd.DataFrame:
    """The ranking, with the values of every measure and the counts of the survey."""
    table = ranking.table.set_index("candidate", drop=False)
    for key in ("bytes", "documents"):
        table[key] = [int(measured.sizes[f"{name}.train"][key]) for name in table.index]
    for metric in measured.metrics:
        rows = measured.of(metric)
        for column, source in (("", "alignment"), ("_low", "ci_low"), ("_high", "ci_high")):
            table[f"{metric}{column}"] = rows[source]
        table[f"{metric}_rank"] = rows["alignment"].rank(ascending=False, method="min").astype(int)
    for column, value in (
        ("overlap_words", lambda one: one["overlap"]["1"]),
        ("overlap_trigrams", lambda one: one["overlap"]["3"]),
        ("duplicates", lambda one: one["duplicates"]["rows"]),
        ("leaked_target_rows", lambda one: one["leaks"]["target_rows"]),
    ):
        table[column] = [
            value(measured.surveys[name]) if name in measured.surveys else None for name in table.index
        ]
    table[["loss", "loss_se"]] = np.nan  # filled in if there are short runs
    return table.reset_index(drop=True)
