"""The loss of n-gram models of the tokens that runs read, a baseline for the trained models."""

import logging
from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from workflow_scripts.ngrams.kneser_ney import KneserNey
from workflow_scripts.tokens.rows import Rows
from workflow_scripts.training.evaluation import EvaluationSet, loss_rows
from workflow_scripts.training.recipe import Recipe
from workflow_scripts.training.tokens_read import tokens_read

logger = logging.getLogger(__name__)

TYPES = {
    "train_set": "str",
    "eval_set": "str",
    "part": "str",
    "tokens": "int64",
    "seed": "int64",
    "from_scratch": "bool",
    "order": "int64",
    "tokens_read": "int64",
    "n_tokens": "int64",
    "loss": "float64",
}
"""`from_scratch`: whether the recipe's models have read nothing else; `tokens_read` does not count padding."""


def ngram_losses(
    rows: Rows,
    recipe: Recipe,
    train_set: str,
    seed: int,
    budgets: Collection[int],
    evaluation_sets: Mapping[str, EvaluationSet],
    vocabulary_size: int,
    order: int,
) -> pd.DataFrame:
    """Nats per token of every evaluation set and part, by a model of the tokens that a run read up to each budget."""
    found = []
    for tokens, read in tokens_read(rows, recipe, seed, train_set):
        if tokens not in budgets:
            continue
        model = KneserNey(read, vocabulary_size, order)
        n_read = sum(map(len, read))
        for name, evaluation_set in evaluation_sets.items():
            for part, (nll, n_tokens) in _scores(model, evaluation_set).items():
                found.append((train_set, name, part, tokens, seed, n_read, n_tokens, nll / n_tokens))
        logger.info("%s, budget of %d tokens: %d different tokens read", train_set, tokens, n_read)
    columns = ["train_set", "eval_set", "part", "tokens", "seed", "tokens_read", "n_tokens", "loss"]
    losses = pd.DataFrame(found, columns=columns)
    return losses.assign(from_scratch="type" in recipe.model, order=order)[list(TYPES)].astype(TYPES)


def _scores(model: KneserNey, evaluation_set: EvaluationSet) -> dict[str, tuple[float, int]]:
    """For each part: nats and tokens over all documents; the first token of a document is not scored."""
    logs = model.log_probabilities([document.input_ids for document in evaluation_set.documents])
    pairs = list(zip(evaluation_set.documents, logs, strict=True))
    totals = {
        "whole": np.array([-log[1:].sum() for _, log in pairs]),
        "answer": np.array([-log[1:][document.answer[1:]].sum() for document, log in pairs]),
    }
    sums = loss_rows(evaluation_set, totals).groupby("part")[["nll", "n_tokens"]].sum()
    return {part: (float(row["nll"]), int(row["n_tokens"])) for part, row in sums.iterrows()}
