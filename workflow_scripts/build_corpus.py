"""Build one corpus: a table of documents and a manifest.

The table has the columns doc_id, source_object, split (train or eval), text, prompt, completion. The last two are null
for plain text; for pairs, the text is both joined. The manifest records the source of the text, its licence, the size
of each side, and what was removed.

A derived corpus is made from the documents of another one, given by --base. Evaluation documents that nearly repeat the
train side of this corpus, or of those in --disjoint-from, are removed and counted.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.command_line import parser_for, run
from workflow_scripts.corpora.assemble import COLUMNS, clean, describe, split_documents
from workflow_scripts.corpora.derived import derive
from workflow_scripts.corpora.sampling import Counted, sample
from workflow_scripts.corpora.sources import read_source
from workflow_scripts.errors import UserError
from workflow_scripts.storage.tables import open_table, read_frame, write_json, write_table


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--name", required=True, help="name of the corpus")
    parser.add_argument("--spec", required=True, help="the corpus' config entry as JSON")
    parser.add_argument(
        "--held-out", type=float, required=True, help="share of source objects kept for evaluation"
    )
    parser.add_argument("--seed", type=int, required=True, help="seed of the split and of derived documents")
    parser.add_argument("--base", help="documents table that a derived corpus is made from")
    parser.add_argument(
        "--disjoint-from", nargs="*", default=[], help="documents tables whose train side must not recur"
    )
    parser.add_argument("--documents", required=True, help="output: the table, Parquet")
    parser.add_argument("--manifest", required=True, help="output: the manifest, JSON")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    spec = json.loads(arguments.spec)
    if not 0 <= arguments.held_out <= 1:
        raise UserError(f"corpus {arguments.name}: held_out is {arguments.held_out}; allowed is 0 to 1")
    try:
        frame, manifest = _documents(spec, arguments)
        others = (text for path in arguments.disjoint_from for text in _train_texts(path))
        frame, counts = clean(frame, others)
        manifest |= counts | describe(frame)
    except UserError as mistake:
        raise UserError(f"corpus {arguments.name}: {mistake}") from None
    write_table(pa.Table.from_pandas(frame, _SCHEMA, preserve_index=False), arguments.documents)
    write_json({"name": arguments.name, "held_out": arguments.held_out, **manifest}, arguments.manifest)


_ROWS = 1024  # of another corpus in memory at a time
_SCHEMA = pa.schema([(column, pa.string()) for column in COLUMNS])


def _documents(spec: dict[str, Any], arguments: argparse.Namespace) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The table before cleaning, and its origin for the manifest."""
    if spec.get("source") == "derived":
        if not arguments.base:
            raise UserError("a derived corpus needs the documents of its base; name them with --base")
        base = read_frame(arguments.base).astype(object).replace({float("nan"): None})
        kind, base_name = spec.get("kind", ""), spec.get("base", "its base")
        origin = {
            "source": f"derived: {kind} of {base_name}",
            "revision": describe(base)["content_hash"],
            "licence": f"that of {base_name}",
            "skipped": {},
        }
        return derive(base, kind, arguments.seed), origin
    reading = read_source(spec)
    documents, origin = reading.documents, reading.provenance
    counted = Counted()
    if "sample_bytes" in spec:
        documents = sample(documents, spec["sample_bytes"], arguments.seed, counted)
    skipped: Counter[str] = reading.skipped
    frame = split_documents(documents, arguments.held_out, arguments.seed, skipped)
    if "sample_bytes" in spec:
        origin = {**origin, "sampled_from": asdict(counted)}
    return frame, {**origin, "skipped": dict(skipped)}


def _train_texts(path: str) -> Iterator[str]:
    """The texts on the train side of a documents table, some rows at a time."""
    with open_table(path) as file:
        for rows in file.iter_batches(_ROWS, columns=["split", "text"]):
            is_train = pc.equal(rows.column("split"), "train")
            yield from rows.column("text").filter(is_train).to_pylist()


if __name__ == "__main__":
    run(main)
