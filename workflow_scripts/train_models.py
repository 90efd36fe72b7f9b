"""Train the models of one training set: every seed of a recipe, saved at every budget of tokens.

The models are written as safetensors to MODELS/seed-<s>/tokens-<n>/, and the manifest lists them. Checkpoints and
finished seeds are kept in CHECKPOINTS, a folder that only this job uses, until the whole job is done. A job that is
started again continues where it stopped. On SIGTERM or SIGUSR1 it saves a checkpoint and exits with code 75.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import parser_for, run, set_threads
from workflow_scripts.errors import UserError
from workflow_scripts.training.processes import (
    Execution,
    add_execution_options,
    is_main_process,
    train_where_asked,
)


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--rows", required=True, type=Path, help="token rows of the training set (Parquet)")
    parser.add_argument("--train-set", required=True, help="name of the training set in the manifest")
    parser.add_argument("--recipe", required=True, type=json.loads, help="how models are made, as JSON")
    parser.add_argument("--seeds", required=True, type=int, nargs="+")
    parser.add_argument(
        "--base", type=Path, help="folder of the weights to start from, if the recipe needs them"
    )
    parser.add_argument("--tokenizer", required=True, type=Path, help="folder of the tokenizer")
    parser.add_argument("--models", required=True, type=Path, help="folder to write the models to")
    parser.add_argument(
        "--manifest", required=True, type=Path, help="list of the models, and how they were made (JSON)"
    )
    parser.add_argument("--times", required=True, type=Path, help="seconds of each run (JSON)")
    add_execution_options(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    given = build_parser().parse_args(arguments)
    set_threads(given.threads)
    train_where_asked("workflow_scripts.train_models", given, arguments, train)


def train(given: argparse.Namespace, execution: Execution) -> None:
    from workflow_scripts.models.digests import model_digest
    from workflow_scripts.models.fresh import new_model
    from workflow_scripts.models.loading import quiet_transformers
    from workflow_scripts.storage.tables import write_json
    from workflow_scripts.tokens.rows import read_tokens
    from workflow_scripts.tokens.tokenizer import load_tokenizer
    from workflow_scripts.training.interruption import noticed_interruption
    from workflow_scripts.training.recipe import Recipe
    from workflow_scripts.training.runs import (
        Job,
        blocks_digest,
        finish_runs,
        forget_runs,
        manifest_of,
        publish_models,
        times_of,
    )
    from workflow_scripts.training.schedule import make_blocks, plan_run

    with noticed_interruption() as interruption:
        recipe = Recipe.from_dict(given.recipe)
        from_base = "base" in recipe.model
        if from_base and given.base is None:
            raise UserError(
                f"recipe: the model is {recipe.model!r}, but there is no folder of base weights (--base)"
            )
        quiet_transformers()
        blocks = make_blocks(read_tokens(given.rows), recipe, given.train_set)
        tokenizer = load_tokenizer(str(given.tokenizer))
        job = Job(
            recipe,
            given.train_set,
            tuple(given.seeds),
            blocks_digest(blocks),
            model_digest(given.base) if from_base else None,
            make_model=lambda seed: new_model(recipe.model, tokenizer, recipe.context, seed, given.base),
            make_schedule=lambda part, seed: plan_run(blocks, part, seed, given.train_set),
        )
        finished = finish_runs(job, given.checkpoints, execution, interruption)
        if is_main_process():
            models = publish_models(finished, given.models, given.manifest)
            write_json(manifest_of(job, models, execution.device), given.manifest)
            write_json(times_of(finished), given.times)
            forget_runs(given.checkpoints)


if __name__ == "__main__":
    run(main)
