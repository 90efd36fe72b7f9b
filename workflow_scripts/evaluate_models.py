"""Score every model of some manifests on the documents of one evaluation set.

STORE keeps the losses of a model under a hash of its weights, the documents and the settings, so an additional model
or seed costs only its own evaluation.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import parser_for, run, set_threads
from workflow_scripts.errors import UserError


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument(
        "--documents", required=True, type=Path, help="documents of the evaluation corpus (Parquet)"
    )
    parser.add_argument("--split", required=True, help="split of the corpus to score")
    parser.add_argument("--eval-set", required=True, help="name of the evaluation set in the output")
    parser.add_argument(
        "--manifests", required=True, type=Path, nargs="+", help="manifests that list trained models"
    )
    parser.add_argument(
        "--base", type=Path, help="folder of the untrained base: train_set none, 0 tokens, seed 0"
    )
    parser.add_argument(
        "--budgets", type=int, nargs="*", help="score only models of these budgets of tokens, and the base"
    )
    parser.add_argument("--tokenizer", required=True, type=Path, help="folder of the tokenizer")
    parser.add_argument("--settings", type=json.loads, default={}, help="documents and windows, as JSON")
    parser.add_argument("--store", required=True, type=Path, help="folder of finished evaluations")
    parser.add_argument("--output", required=True, type=Path, help="losses per document (Parquet)")
    parser.add_argument("--times", required=True, type=Path, help="seconds, and how much was reused (JSON)")
    parser.add_argument("--device", default="auto", help="auto (a GPU if one is visible), cpu or cuda")
    parser.add_argument("--threads", type=int, default=1)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    given = build_parser().parse_args(argv)
    set_threads(given.threads)
    from workflow_scripts.models.loading import quiet_transformers
    from workflow_scripts.storage.content_store import ContentStore
    from workflow_scripts.storage.documents import read_side
    from workflow_scripts.storage.tables import write_json, write_table
    from workflow_scripts.tokens.tokenizer import load_tokenizer
    from workflow_scripts.training.candidates import list_candidates, losses_of
    from workflow_scripts.training.devices import claimed_device
    from workflow_scripts.training.evaluation import EvaluationSettings, choose_documents

    settings = EvaluationSettings.from_dict(given.settings)
    with claimed_device(given.device, gpus=1) as device:
        quiet_transformers()
        documents = read_side(given.documents, given.split)
        chosen = choose_documents(documents, load_tokenizer(str(given.tokenizer)), settings, given.eval_set)
        candidates = list_candidates(given.manifests, given.base)
        if given.budgets is not None:
            candidates = [one for one in candidates if one.tokens in (0, *given.budgets)]
        if not candidates:
            raise UserError(f"--budgets {given.budgets}: the manifests list no model of these budgets")
        losses, seconds = losses_of(
            candidates, chosen, given.eval_set, ContentStore(given.store), device, given.threads
        )
    write_table(losses, given.output)
    times = {
        "computed": len(seconds),
        "reused": len(candidates) - len(seconds),
        "seconds": round(sum(seconds), 3),
    }
    write_json(times, given.times)


if __name__ == "__main__":
    run(main)
