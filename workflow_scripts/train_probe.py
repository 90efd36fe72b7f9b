"""Train the probe on several corpora in equal shares of tokens; it is also the base of fine-tuning.

The settings are those of a training recipe without its model and tokens. If the model is pretrained, its weights are
copied instead. Checkpoints are kept in CHECKPOINTS, a folder that only this job uses, until the probe is finished. On
SIGTERM or SIGUSR1 a checkpoint is saved, and the program exits with code 75.
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
    parser.add_argument(
        "--rows", type=Path, nargs="*", default=[], help="packed rows, one file per corpus (its folder)"
    )
    parser.add_argument(
        "--model", required=True, type=json.loads, help="type and settings, or pretrained, as JSON"
    )
    parser.add_argument("--tokens", type=int, default=0, help="total tokens over all corpora")
    parser.add_argument("--settings", type=json.loads, default={}, help="learning rate and so on, as JSON")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--tokenizer", required=True, type=Path, help="folder of the tokenizer")
    parser.add_argument("--output", required=True, type=Path, help="folder to write the model to")
    parser.add_argument("--manifest", required=True, type=Path, help="how the probe was made (JSON)")
    parser.add_argument("--times", required=True, type=Path, help="seconds of the run (JSON)")
    add_execution_options(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    given = build_parser().parse_args(arguments)
    set_threads(given.threads)
    if "pretrained" in given.model:
        copy_pretrained(given)
        return
    train_where_asked("workflow_scripts.train_probe", given, arguments, train)


def copy_pretrained(given: argparse.Namespace) -> None:
    from workflow_scripts.models.digests import library_versions, weights_digest
    from workflow_scripts.models.folders import save_model
    from workflow_scripts.models.fresh import new_model
    from workflow_scripts.models.loading import quiet_transformers
    from workflow_scripts.storage.revision import commit
    from workflow_scripts.storage.tables import write_json
    from workflow_scripts.tokens.tokenizer import load_tokenizer

    quiet_transformers()
    save_model(
        new_model(given.model, load_tokenizer(str(given.tokenizer)), context=2, seed=given.seed), given.output
    )
    manifest = {
        "commit": commit(),
        "libraries": library_versions(),
        "model": given.model,
        "weights_sha256": weights_digest(given.output),
    }
    write_json(manifest, given.manifest)
    write_json([], given.times)


def train(given: argparse.Namespace, execution: Execution) -> None:
    from workflow_scripts.models.digests import weights_digest
    from workflow_scripts.models.folders import copy_model
    from workflow_scripts.models.fresh import new_model
    from workflow_scripts.models.loading import quiet_transformers
    from workflow_scripts.storage.content_store import content_key
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
        times_of,
    )
    from workflow_scripts.training.schedule import make_blocks, plan_equal_shares

    with noticed_interruption() as interruption:
        recipe = Recipe.from_dict(
            {"layout": "packed", **given.settings, "model": given.model, "tokens": [given.tokens]}
        )
        if recipe.epochs > 1 or recipe.layout != "packed" or not recipe.shuffle:
            raise UserError("the probe makes one pass over packed rows in shuffled order")
        if not given.rows:
            raise UserError("a probe that is trained needs token rows (--rows)")
        quiet_transformers()
        sets = [
            (path.parent.name, make_blocks(read_tokens(path), recipe, path.parent.name))
            for path in given.rows
        ]
        tokenizer = load_tokenizer(str(given.tokenizer))
        job = Job(
            recipe,
            "probe",
            (given.seed,),
            content_key(sets=[blocks_digest(blocks) for _, blocks in sets]),
            None,
            make_model=lambda seed: new_model(recipe.model, tokenizer, recipe.context, seed),
            make_schedule=lambda part, seed: plan_equal_shares(sets, given.tokens, part.batch_rows, seed),
        )
        finished = finish_runs(job, given.checkpoints, execution, interruption)
        if is_main_process():
            copy_model(finished[0].model_folder(given.tokens), given.output)
            listed = [
                {"seed": given.seed, "tokens": given.tokens, "weights_sha256": weights_digest(given.output)}
            ]
            manifest = manifest_of(job, listed, execution.device)
            write_json({**manifest, "corpora": [name for name, _ in sets]}, given.manifest)
            write_json(times_of(finished), given.times)
            forget_runs(given.checkpoints)


if __name__ == "__main__":
    run(main)
