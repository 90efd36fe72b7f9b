"""Sentences that compare trained models with n-gram models, for the page and for docs/results."""

from collections.abc import Mapping

import pandas as pd

from workflow_scripts.report.wording import number, plain, plural, sentence


def ngram_sentences(gaps: pd.DataFrame) -> list[str]:
    """For one experiment, part and budget: models compared with n-gram models of the same tokens."""
    order = int(gaps["order"].iloc[0])
    found = [sentence(own_part_sentence(gaps))] if gaps["is_own"].any() else [_without_own_part(order)]
    better = int((gaps["better_by"] > 0).sum())
    found.append(f"Over all pairs of sets, the models are better in {better} of {len(gaps)}.")
    if gaps["n_seeds"].max() > 1:
        found.append("Losses are means over seeds; the n-gram models read the tokens of the first seed.")
    if not gaps["from_scratch"].all():
        found.append(
            "The models started from trained weights: what those had read is not counted for the n-gram models."
        )
    return found


def own_part_sentence(gaps: pd.DataFrame) -> str:
    """How many training sets' models are better on their own held-out part, and by how much; to follow a colon."""
    own = gaps[gaps["is_own"]].sort_values("better_by")
    better = int((own["better_by"] > 0).sum())
    text = (
        f"on their own held-out part, the models of {better} of {plural(len(own), 'training set')} are better than "
        f"{_model(int(own['order'].iloc[0]))} of the same tokens"
    )
    worst, best = own.iloc[0], own.iloc[-1]
    if len(own) == 1:
        return f"{text}: {_by(worst)}."
    return f"{text}: from {_by(worst)} to {_by(best)}, on average {_nats(own['better_by'].mean())}."


def own_parts_sentence(gaps: Mapping[str, pd.DataFrame]) -> str:
    """The same for several experiments in one sentence; `gaps` has those of each."""
    if len(gaps) == 1:
        ((experiment, own),) = gaps.items()
        return f"{sentence(plain(experiment))}: {own_part_sentence(own)}"
    listed = [
        f"{plain(experiment)} {int((own['better_by'] > 0).sum())} of {len(own)} (on average "
        f"{_nats(own['better_by'].mean())})"
        for experiment, own in gaps.items()
    ]
    order = int(next(iter(gaps.values()))["order"].iloc[0])
    return (
        f"Training sets whose models are better than {_model(order)} of the same tokens on their own held-out part: "
        f"{', '.join(listed)}."
    )


def _without_own_part(order: int) -> str:
    return (
        f"No training set's own held-out part is among the evaluation sets to compare with {_model(order)}."
    )


def _model(order: int) -> str:
    return f"a Kneser-Ney {order}-gram model"


def _by(row: "pd.Series[float]") -> str:
    return f"{_nats(row['better_by'])} ({plain(str(row['train_set']))})"


def _nats(better_by: float) -> str:
    return f"{number(abs(better_by))} nats {'better' if better_by > 0 else 'worse'}"
