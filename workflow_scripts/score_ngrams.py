"""Score n-gram models of one training set: modified Kneser-Ney, on exactly the tokens that a run of a recipe reads.

There is a model for each budget. It is scored on the same documents and tokens as the trained models: all tokens except
the first of each document. Tokens on which the run's starting weights were trained are not counted.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import named_paths, parser_for, run


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--rows", required=True, type=Path, help="token rows of the training set (Parquet)")
    parser.add_argument("--train-set", required=True, help="name of the training set in the output")
    parser.add_argument("--recipe", required=True, type=json.loads, help="how models are made, as JSON")
    parser.add_argument("--seed", required=True, type=int, help="seed of the run whose tokens are counted")
    parser.add_argument(
        "--budgets", required=True, type=int, nargs="+", help="budgets of the recipe, in tokens"
    )
    parser.add_argument("--order", required=True, type=int, help="longest n-gram")
    parser.add_argument(
        "--documents",
        required=True,
        action="append",
        metavar="NAME=FILE",
        help="documents of an evaluation corpus (Parquet); repeated",
    )
    parser.add_argument("--split", required=True, help="split of the corpora to score")
    parser.add_argument("--tokenizer", required=True, type=Path, help="folder of the tokenizer")
    parser.add_argument("--settings", type=json.loads, default={}, help="documents and parts, as JSON")
    parser.add_argument("--output", required=True, type=Path, help="nats per token (Parquet)")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    given = build_parser().parse_args(argv)
    from workflow_scripts.storage.documents import read_side
    from workflow_scripts.storage.tables import write_table
    from workflow_scripts.tokens.rows import read_tokens
    from workflow_scripts.tokens.tokenizer import load_tokenizer
    from workflow_scripts.training.evaluation import EvaluationSettings, choose_documents
    from workflow_scripts.training.ngram_losses import ngram_losses
    from workflow_scripts.training.recipe import Recipe

    settings = EvaluationSettings.from_dict(given.settings)
    tokenizer = load_tokenizer(str(given.tokenizer))
    evaluation_sets = {}
    for name, path in named_paths("documents", given.documents).items():
        documents = read_side(path, given.split)
        evaluation_sets[name] = choose_documents(documents, tokenizer, settings, name)
    losses = ngram_losses(
        read_tokens(given.rows),
        Recipe.from_dict(given.recipe),
        given.train_set,
        given.seed,
        given.budgets,
        evaluation_sets,
        len(tokenizer),
        given.order,
    )
    write_table(losses, given.output)


if __name__ == "__main__":
    run(main)
