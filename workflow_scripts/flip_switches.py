"""Measure alignment with each defect of the released algorithm corrected alone, and brought back alone.

Two ends: `published` is the released estimator on one padded document a row, with an absolute epsilon in the
distance; `corrected` is the corrected estimator on packed rows, with the relative distance. A variant is an end, or
an end with one switch flipped to how the other end has it. Both ends fit the head for --head-epochs and compare
disjoint batches; the switch `same_batches` gives every batch the rows of the first one, as released. Where dropout is
active its rate is 0.1, as in GPT-2, whatever rate the probe was trained with.

Each set is NAME=PATH, its name <corpus>.<split>, once with packed rows and once with a row per document. Finished
batches are kept in the store by content. The output has one row per variant and pair of batches of a train side and
an eval side: end, switch (null for the end itself), is_corrected (whether the switch is as the corrected end has it),
train_set, eval_set, source_batch, target_batch, alignment, note (what keeps a switch from doing anything).
"""

import argparse
import copy
import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from workflow_scripts.command_line import UserError, parser_for, run, set_threads

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from transformers import PreTrainedModel

    from workflow_scripts.fisher import Estimator
    from workflow_scripts.tokens.rows import Rows

Layout = Literal["packed", "documents"]
End = Literal["published", "corrected"]

OF_THE_ESTIMATOR = (
    "label_shift",
    "score_padding",
    "square",
    "tied_head",
    "dropout",
    "hide_ends",
    "label_draws",
)
RELEASED_EPSILON = 1e-8
RELEASED_DROPOUT = 0.1
MICROBATCH = 8


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    for layout in ("packed", "documents"):
        parser.add_argument(
            f"--{layout}", required=True, action="append", metavar="NAME=PATH", help="rows of a set; repeated"
        )
    parser.add_argument("--model", required=True, help="folder of the probe, or its name on the Hub")
    parser.add_argument("--tokenizer", required=True, help="tokenizer of the rows: which token ends a text")
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--rows-per-batch", type=int, default=16)
    parser.add_argument("--head-epochs", type=int, default=5, help="epochs of fitting the output head")
    parser.add_argument("--seed", type=int, default=0, help="of the draw of batches and of labels")
    parser.add_argument("--store", required=True, type=Path, help="folder of finished batches")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--precision", choices=["auto", "float32", "tf32", "bfloat16"], default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, type=Path, help="alignment of batch pairs (Parquet)")
    parser.add_argument("--times", required=True, type=Path, help="seconds of embedding (JSON)")
    return parser


@dataclass(frozen=True)
class Embedded:
    """What decides the embeddings of a variant, besides the probe and the draw of batches."""

    estimator: "Estimator"
    layout: Layout
    same_batches: bool = False


@dataclass(frozen=True)
class Variant:
    """An end, or an end with one switch flipped."""

    end: End
    embedded: Embedded
    epsilon: float | None
    switch: str | None = None

    @property
    def is_corrected(self) -> bool:
        """Whether the switch is as the corrected end has it; both ends have disjoint batches."""
        if self.switch == "same_batches":
            return False
        return (self.end == "published") == (self.switch is not None)

    @property
    def name(self) -> str:
        return f"{self.end}.{self.switch}" if self.switch else self.end


def variants() -> list[Variant]:
    """Both ends, each followed by all its flips."""
    from workflow_scripts.fisher import Estimator

    published = Variant("published", Embedded(Estimator.published(), "documents"), RELEASED_EPSILON)
    corrected = Variant("corrected", Embedded(Estimator.corrected(), "packed"), None)
    found = []
    for end, other in ((published, corrected), (corrected, published)):
        found.append(end)
        for field in OF_THE_ESTIMATOR:
            value = getattr(other.embedded.estimator, field)
            estimator = dataclasses.replace(end.embedded.estimator, **{field: value})
            embedded = dataclasses.replace(end.embedded, estimator=estimator)
            found.append(dataclasses.replace(end, switch=field, embedded=embedded))
        embedded = dataclasses.replace(end.embedded, layout=other.embedded.layout)
        found.append(dataclasses.replace(end, switch="layout", embedded=embedded))
        found.append(dataclasses.replace(end, switch="epsilon", epsilon=other.epsilon))
        embedded = dataclasses.replace(end.embedded, same_batches=True)
        found.append(dataclasses.replace(end, switch="same_batches", embedded=embedded))
    return found


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(arguments.threads)
    from workflow_scripts.metrics.inputs import check_batches, named_paths
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
    """Embed what the variants need, compare it, and write the table and the times."""
    from workflow_scripts.embed_batches import probe_of
    from workflow_scripts.storage.tables import write_json, write_table

    model = with_released_dropout(probe_of(arguments.model, None, device))
    drawn = {
        (layout, name): drawn_batches(path, model, arguments)
        for layout, paths in layouts.items()
        for name, path in paths.items()
    }
    embeddings, seconds = embedded_sets(model, drawn, list(layouts["packed"]), arguments)
    write_table(table(embeddings, notes(model, arguments.rows_per_batch)), arguments.output)
    write_json(
        {
            "seconds": sum(seconds.values()),
            "variants": {
                variant.name: seconds[variant.embedded]
                for variant in variants()
                if variant.switch != "epsilon"  # a matter of the distance: nothing is embedded for it
            },
        },
        arguments.times,
    )


def with_released_dropout(probe: "PreTrainedModel") -> "PreTrainedModel":
    """The probe with the dropout of GPT-2 as released, which is active where the estimator asks for it alone."""
    from transformers import AutoModelForCausalLM

    config = copy.deepcopy(probe.config)
    for name, value in config.to_dict().items():
        if name.endswith(("pdrop", "dropout")) and isinstance(value, int | float):
            setattr(config, name, RELEASED_DROPOUT)
    model: Any = AutoModelForCausalLM.from_config(config, dtype=probe.dtype)
    model.load_state_dict(probe.state_dict())
    return model.to(probe.device)


def drawn_batches(path: Path, model: "PreTrainedModel", arguments: argparse.Namespace) -> "list[Rows]":
    """Disjoint batches of one set."""
    from workflow_scripts.embed_batches import check_fit, rows_of_set
    from workflow_scripts.metrics.inputs import compared_indices

    rows = rows_of_set(path)
    check_fit(rows, model, path)
    indices = compared_indices(path, len(rows), arguments.batches, arguments.rows_per_batch, arguments.seed)
    return [rows.take(index) for index in indices]


def embedded_sets(
    model: "PreTrainedModel",
    drawn: "Mapping[tuple[str, str], list[Rows]]",
    names: Sequence[str],
    arguments: argparse.Namespace,
) -> "tuple[dict[Embedded, dict[str, np.ndarray]], dict[Embedded, float]]":
    """Embeddings (batches, coordinates) of every set, and the seconds they took, for all that is to be embedded."""
    import numpy as np

    from workflow_scripts.embed_batches import end_of_text_of
    from workflow_scripts.fisher.hardware import resolve_precision
    from workflow_scripts.fisher.kept import Settings, embed_in_turn
    from workflow_scripts.storage.content_store import ContentStore

    end_of_text = end_of_text_of(arguments.tokenizer)
    precision = resolve_precision(arguments.precision)
    wanted = list(dict.fromkeys(variant.embedded for variant in variants()))
    rows, settings = [], []
    for embedded in wanted:
        for name in names:
            for number, batch in enumerate(drawn[embedded.layout, name]):
                # Batches of the same rows still differ in their label draws, as released.
                again = embedded.same_batches
                rows.append(drawn[embedded.layout, name][0] if again else batch)
                seed = arguments.seed + (number if again else 0)
                settings.append(
                    Settings(embedded.estimator, arguments.head_epochs, seed, precision, end_of_text)
                )
    starts = np.cumsum([0, *(len(batch) for batch in rows)])
    places = [np.arange(start, stop) for start, stop in itertools.pairwise(starts)]
    done = embed_in_turn(
        model, joined(rows), places, settings, ContentStore(arguments.store), microbatch=MICROBATCH
    )
    embeddings: dict[Embedded, dict[str, np.ndarray]] = {}
    seconds: dict[Embedded, float] = {}
    for embedded in wanted:
        batches = {name: [next(done) for _ in range(arguments.batches)] for name in names}
        embeddings[embedded] = {
            name: np.stack([batch.embedding for batch in own]) for name, own in batches.items()
        }
        seconds[embedded] = sum(batch.seconds for own in batches.values() for batch in own)
    return embeddings, seconds


def joined(parts: "Sequence[Rows]") -> "Rows":
    """Rows of several tables, all of one length, one after the other."""
    import numpy as np

    from workflow_scripts.tokens.rows import Rows

    return Rows(
        [row_id for part in parts for row_id in part.row_ids],
        [doc_ids for part in parts for doc_ids in part.doc_ids],
        np.concatenate([part.input_ids for part in parts]),
        np.concatenate([part.n_tokens for part in parts]),
        np.concatenate([part.loss_mask for part in parts]),
    )


def notes(model: "PreTrainedModel", rows_per_batch: int) -> dict[tuple[str | None, Layout], str]:
    """What a reader must know about a switch on rows of a layout."""
    from torch import nn

    from workflow_scripts.fisher import Estimator

    found: dict[tuple[str | None, Layout], str] = {
        ("score_padding", "packed"): (
            "packed rows have no padding: only drawn labels that equal the padding token are left out"
        )
    }
    both: tuple[Layout, Layout] = ("packed", "documents")
    tokens: Any = model.get_input_embeddings()
    head: Any = model.get_output_embeddings()
    if head.weight is not tokens.weight:
        found |= {
            ("tied_head", layout): "the probe's head is not tied to its input embedding" for layout in both
        }
    if not any(isinstance(module, nn.Dropout) for module in model.modules()):
        found |= {("dropout", layout): "the probe has no dropout" for layout in both}
    minibatch = Estimator.published().minibatch
    if rows_per_batch <= minibatch:
        one = f"a batch of {rows_per_batch} rows is one minibatch"
        found |= {("square", layout): one for layout in both}
    return found


def table(
    embeddings: "Mapping[Embedded, Mapping[str, np.ndarray]]",
    remarks: Mapping[tuple[str | None, Layout], str],
) -> "pa.Table":
    """Alignment, 1 - distance, of every batch of a train side with every batch of an eval side."""
    import pyarrow as pa

    schema = pa.schema(
        [
            ("end", pa.string()),
            ("switch", pa.string()),
            ("is_corrected", pa.bool_()),
            ("train_set", pa.string()),
            ("eval_set", pa.string()),
            ("source_batch", pa.int32()),
            ("target_batch", pa.int32()),
            ("alignment", pa.float64()),
            ("note", pa.string()),
        ]
    )
    rows = [
        {
            "end": variant.end,
            "switch": variant.switch,
            "is_corrected": variant.is_corrected,
            "note": remarks.get((variant.switch, variant.embedded.layout), ""),
            **pair,
        }
        for variant in variants()
        for pair in pairs(embeddings[variant.embedded], variant.epsilon)
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def pairs(sets: "Mapping[str, np.ndarray]", epsilon: float | None) -> Iterator[dict[str, Any]]:
    from workflow_scripts.fisher import distance_matrix

    for train_set in (name for name in sets if name.endswith(".train")):
        for eval_set in (name for name in sets if name.endswith(".eval")):
            alignment = 1 - distance_matrix(sets[train_set], sets[eval_set], epsilon)
            for source, line in enumerate(alignment.tolist()):
                for target, value in enumerate(line):
                    yield {
                        "train_set": train_set.removesuffix(".train"),
                        "eval_set": eval_set.removesuffix(".eval"),
                        "source_batch": source,
                        "target_batch": target,
                        "alignment": value,
                    }


if __name__ == "__main__":
    run(main)
