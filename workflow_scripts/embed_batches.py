"""Embed the batches of sets, one set after another, with one probe and one estimator.

Each set is NAME=PATH, its name <corpus>.<split> and PATH its token rows. The output folder gets NAME.parquet, with one
row per batch: batch, row_ids, n_scored (positions), embedding. Each finished batch is stored under a hash of its inputs
(probe, rows, estimator, head epochs, seed). It is not computed again after a kill, for more batches, for another set in
the same job, or for another corpus with the same rows. A set with too few rows for its batches has an empty table.
MODEL is a folder or a name on the Hub, with safetensors weights.

ESTIMATOR is JSON: {"name": "corrected"} or {"name": "published"}, and any of label_shift, score_padding,
square ("row" or "minibatch"), minibatch, tied_head, dropout, hide_ends, label_draws to override only that field.
With --sampling same, every batch has the same rows, as released, but different label draws. If a set has too few rows
for its batches, --fewer-rows makes batches smaller, as released, and --fewer-batches makes fewer batches. A set named
by --answers is embedded once more into NAME.answer.parquet: the probe reads whole rows, and only the tokens of answers
are scored.
"""

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_scripts.command_line import named_paths, parser_for, run, set_threads
from workflow_scripts.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from workflow_scripts.fisher.batch_cache import BatchCache, EmbeddedBatch
    from workflow_scripts.fisher.estimator import Settings
    from workflow_scripts.tokens.rows import Rows

logger = logging.getLogger(__name__)


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument(
        "--set", required=True, action="append", metavar="NAME=PATH", help="one per set; repeated"
    )
    parser.add_argument(
        "--answers", action="append", default=[], metavar="NAME", help="a set to embed by its answers, too"
    )
    parser.add_argument("--model", required=True, help="folder of the probe, or its name on the Hub")
    parser.add_argument("--revision", help="revision on the Hub")
    parser.add_argument(
        "--tokenizer", required=True, help="tokenizer of the rows; defines the end-of-text token"
    )
    parser.add_argument("--estimator", required=True, type=_json_object, help="name and overrides, as JSON")
    parser.add_argument("--batches", type=int, required=True)
    parser.add_argument("--rows-per-batch", type=int, required=True)
    parser.add_argument("--fewer-rows", action="store_true", help="smaller batches for a set with fewer rows")
    parser.add_argument(
        "--fewer-batches", action="store_true", help="fewer batches for a set with fewer rows"
    )
    parser.add_argument("--sampling", choices=["disjoint", "same"], required=True)
    parser.add_argument("--head-epochs", type=int, required=True, help="epochs of fitting the output head")
    parser.add_argument("--seed", type=int, required=True, help="seed of the draw of batches and of labels")
    parser.add_argument("--store", required=True, type=Path, help="folder of finished batches")
    parser.add_argument("--output", required=True, type=Path, help="folder of embeddings: NAME.parquet")
    parser.add_argument(
        "--times", required=True, type=Path, help="folder of seconds, total and per batch: NAME.json"
    )
    parser.add_argument(
        "--variance", type=Path, help="folder of variances due to label draws and rows, by kind: NAME.parquet"
    )
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--precision", choices=["auto", "float32", "tf32", "bfloat16"], default="auto")
    parser.add_argument(
        "--microbatch",
        type=_microbatch,
        default=8,
        help="rows per pass; auto: by free GPU memory, 8 on a CPU",
    )
    parser.add_argument("--threads", type=int, default=1)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(arguments.threads)
    from workflow_scripts.training.devices import claimed_device

    with claimed_device(arguments.device, 1) as device:
        embed_sets(arguments, device)


def embed_sets(arguments: argparse.Namespace, device: str) -> None:
    """Read the probe, embed one set after another, write the table and the times of each."""
    import numpy as np

    from workflow_scripts.fisher.batch_cache import BatchCache
    from workflow_scripts.fisher.estimator import Estimator, Settings
    from workflow_scripts.fisher.hardware import resolve_precision
    from workflow_scripts.models.loading import check_fit, load_model
    from workflow_scripts.storage.content_store import ContentStore
    from workflow_scripts.tokens.parts import ANSWER
    from workflow_scripts.tokens.rows import count_rows, read_rows
    from workflow_scripts.tokens.tokenizer import end_of_text_of

    sets = named_paths("set", arguments.set)
    unknown = sorted(set(arguments.answers) - set(sets))
    if unknown:
        raise UserError(f"--answers names {unknown[0]}, which no --set names")
    settings = Settings(
        Estimator.from_options(arguments.estimator),
        arguments.head_epochs,
        arguments.seed,
        resolve_precision(arguments.precision),
        end_of_text_of(arguments.tokenizer),
    )
    model = load_model(arguments.model, arguments.revision, device)
    cache = BatchCache.of(model, ContentStore(arguments.store))
    for number, (name, path) in enumerate(sets.items(), start=1):
        logger.info("set %d of %d: %s", number, len(sets), name)
        drawn = _drawn(count_rows(path), path, arguments)
        index, places = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *drawn]), return_inverse=True)
        batches = np.split(places, np.cumsum([len(batch) for batch in drawn])[:-1]) if drawn else []
        rows = read_rows(path, index)
        if batches:
            check_fit(rows, model, path)
        _embed(cache, rows, batches, settings, name, False, arguments)
        if name in arguments.answers:
            _check_answers(rows, batches, path)
            _embed(cache, rows, batches, settings, f"{name}.{ANSWER}", True, arguments)


def _drawn(n_rows: int, path: Path, arguments: argparse.Namespace) -> "list[np.ndarray]":
    """Row numbers of the batches; none of a set with too few rows."""
    from workflow_scripts.tokens.batches import batch_indices

    is_disjoint = arguments.sampling == "disjoint"
    n_batches, per_batch = arguments.batches, arguments.rows_per_batch
    if arguments.fewer_rows:
        per_batch = min(per_batch, max(1, n_rows // (n_batches if is_disjoint else 1)))
    if arguments.fewer_batches and is_disjoint:
        n_batches = min(n_batches, max(1, n_rows // per_batch))
    try:
        return batch_indices(n_rows, n_batches, per_batch, arguments.seed, is_disjoint)
    except ValueError as error:
        if arguments.variance:
            raise UserError(f"{path}: {error}") from None
        logger.warning("left out of measures by this estimator: %s: %s", path, error)
        return []


def _embed(
    cache: "BatchCache",
    rows: "Rows",
    batches: "Sequence[np.ndarray]",
    settings: "Settings",
    name: str,
    answers: bool,
    arguments: argparse.Namespace,
) -> None:
    """Embed the batches of one set, and write its table, times and variance."""
    import numpy as np
    import torch

    from workflow_scripts.fisher.embedding import measure
    from workflow_scripts.fisher.hardware import automatic_microbatch
    from workflow_scripts.fisher.layout import layout
    from workflow_scripts.fisher.reading import Batch
    from workflow_scripts.fisher.variance import variance_by_kind
    from workflow_scripts.storage.tables import write_table

    microbatch = arguments.microbatch
    if batches and microbatch == "auto":
        two = Batch.of(torch.from_numpy(rows.input_ids[:2]))
        microbatch = automatic_microbatch(
            lambda: measure(cache.model, two, settings, route=cache.route), cache.model.device
        )
        logger.info("%d rows per pass", microbatch)
    # Batches of the same rows still differ in their label draws, as released.
    seeds = [settings.seed + (0 if arguments.sampling == "disjoint" else i) for i in range(len(batches))]
    each = [replace(settings, seed=seed) for seed in seeds]
    done = list(cache.embed_in_turn(rows, batches, each, microbatch, answers))
    _write(done, name, arguments)
    if not done:
        return
    variance = variance_by_kind(
        layout(cache.model),
        np.stack([batch.embedding for batch in done]),
        np.stack([batch.draw_variance for batch in done]),
    )
    for kind, coordinates, draws, left_by_rows in variance.itertuples(index=False):
        logger.info(
            "%s (%d coordinates): relative standard deviation %s over label draws, %s over rows",
            kind,
            coordinates,
            _percent(draws),
            _percent(left_by_rows),
        )
    if arguments.variance:
        write_table(variance, arguments.variance / f"{name}.parquet")


def _write(done: "Sequence[EmbeddedBatch]", name: str, arguments: argparse.Namespace) -> None:
    import pyarrow as pa

    from workflow_scripts.storage.tables import write_json, write_table

    write_table(
        pa.table(
            {
                "batch": pa.array(range(len(done)), pa.int32()),
                "row_ids": pa.array([batch.row_ids for batch in done], pa.list_(pa.string())),
                "n_scored": pa.array([batch.n_scored for batch in done], pa.int64()),
                "embedding": pa.array([batch.embedding for batch in done], pa.list_(pa.float32())),
            }
        ),
        arguments.output / f"{name}.parquet",
    )
    write_json(
        {"seconds": sum(batch.seconds for batch in done), "batches": [batch.seconds for batch in done]},
        arguments.times / f"{name}.json",
    )


def _check_answers(rows: "Rows", batches: "Sequence[np.ndarray]", path: Path) -> None:
    for number, index in enumerate(batches, start=1):
        if not rows.loss_mask[index, 1:].any():
            raise UserError(
                f"{path}: batch {number} of {len(index)} rows has no answer to score; give batches more rows, or "
                "remove Fisher measures from alignment.answers"
            )


def _json_object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is not a JSON object")
    return value


def _microbatch(text: str) -> int | str:
    if text == "auto":
        return text
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is neither auto nor a whole number from 1")
    return int(text)


def _percent(relative_variance: float) -> str:
    return "unknown" if relative_variance != relative_variance else f"{relative_variance**0.5:.1%}"


if __name__ == "__main__":
    run(main)
