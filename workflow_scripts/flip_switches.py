"""Measure alignment with one defect of the released algorithm at a time corrected, or brought back.

`fisher/switches.py` defines the variants. Each set is NAME=PATH, its name <corpus>.<split>, once with packed rows and
once with a row per document. Finished batches are stored under a hash of their inputs. The output has one row per
variant and pair of batches of a train side and an eval side: end, switch (null for the end itself), is_corrected
(whether the switch has the corrected end's value), train_set, eval_set, source_batch, target_batch, alignment, note
(why a switch has no effect).
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_scripts.command_line import named_paths, parser_for, run, set_threads
from workflow_scripts.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from workflow_scripts.tokens.rows import Rows


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    for layout in ("packed", "documents"):
        parser.add_argument(
            f"--{layout}", required=True, action="append", metavar="NAME=PATH", help="rows of a set; repeated"
        )
    parser.add_argument("--model", required=True, help="folder of the probe, or its name on the Hub")
    parser.add_argument(
        "--tokenizer", required=True, help="tokenizer of the rows; defines the end-of-text token"
    )
    parser.add_argument("--batches", type=int, required=True)
    parser.add_argument("--rows-per-batch", type=int, required=True)
    parser.add_argument("--head-epochs", type=int, required=True, help="epochs of fitting the output head")
    parser.add_argument("--seed", type=int, required=True, help="seed of the draw of batches and of labels")
    parser.add_argument("--store", required=True, type=Path, help="folder of finished batches")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--precision", choices=["auto", "float32", "tf32", "bfloat16"], default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, type=Path, help="alignment of batch pairs (Parquet)")
    parser.add_argument("--times", required=True, type=Path, help="seconds of embedding (JSON)")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(arguments.threads)
    from workflow_scripts.metrics.inputs import check_batches
    from workflow_scripts.training.devices import claimed_device

    check_batches(arguments.batches)
    layouts = {layout: named_paths(layout, getattr(arguments, layout)) for layout in ("packed", "documents")}
    if list(layouts["packed"]) != list(layouts["documents"]):
        raise UserError("--packed and --documents must name the same sets in the same order")
    for side in (".train", ".eval"):
        if not any(name.endswith(side) for name in layouts["packed"]):
            raise UserError(f"--packed names no set that ends in {side}")
    with claimed_device(arguments.device, 1) as device:
        flip(arguments, layouts, device)


def flip(arguments: argparse.Namespace, layouts: Mapping[str, Mapping[str, Path]], device: str) -> None:
    """Embed the batches that the variants need, compare them, and write the table and the times."""
    from workflow_scripts.fisher.hardware import resolve_precision
    from workflow_scripts.fisher.switch_alignments import Drawing, alignment_table, embedded_sets
    from workflow_scripts.fisher.switches import notes, variants, with_released_dropout
    from workflow_scripts.models.loading import load_model
    from workflow_scripts.storage.content_store import ContentStore
    from workflow_scripts.storage.tables import write_json, write_table
    from workflow_scripts.tokens.tokenizer import end_of_text_of

    model = with_released_dropout(load_model(arguments.model, device=device))
    drawn = {
        (layout, name): drawn_batches(path, model, arguments)
        for layout, paths in layouts.items()
        for name, path in paths.items()
    }
    drawing = Drawing(
        arguments.head_epochs,
        arguments.seed,
        resolve_precision(arguments.precision),
        end_of_text_of(arguments.tokenizer),
    )
    store = ContentStore(arguments.store)
    embeddings, seconds = embedded_sets(model, drawn, list(layouts["packed"]), drawing, store)
    write_table(alignment_table(embeddings, notes(model, arguments.rows_per_batch)), arguments.output)
    write_json(
        {
            "seconds": sum(seconds.values()),
            "variants": {
                variant.name: seconds[variant.embedded]
                for variant in variants()
                if variant.switch != "epsilon"  # belongs to the distance, so it needs no other embeddings
            },
        },
        arguments.times,
    )


def drawn_batches(path: Path, model: "PreTrainedModel", arguments: argparse.Namespace) -> "list[Rows]":
    """Disjoint batches of one set."""
    from workflow_scripts.metrics.inputs import drawn_rows
    from workflow_scripts.models.loading import check_fit
    from workflow_scripts.tokens.rows import joined

    drawn = drawn_rows(path, arguments.batches, arguments.rows_per_batch, arguments.seed)
    check_fit(joined(drawn), model, path)
    return drawn


if __name__ == "__main__":
    run(main)
