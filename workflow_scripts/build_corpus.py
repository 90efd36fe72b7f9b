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
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from workflow_scripts.command_line import parser_for, run
from workflow_scripts.corpora.assemble import Description, content_hash, split_documents
from workflow_scripts.corpora.derived import derive
from workflow_scripts.corpora.draft import Draft
from workflow_scripts.corpora.sampling import Counted, sample
from workflow_scripts.corpora.sources import read_source
from workflow_scripts.errors import UserError
from workflow_scripts.storage.documents import SCHEMA, Document, read_documents, row_groups
from workflow_scripts.storage.tables import write_json, write_portions
from workflow_scripts.storage.unnamed import unnamed_file


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
    with unnamed_file(Path(arguments.documents).parent) as file:
        draft = Draft(file)
        try:
            origin = _write(draft, spec, arguments)
            others = (text for path in arguments.disjoint_from for text in _train_texts(path))
            counts = draft.remove_duplicates(others)
            if not draft.is_kept.any():
                raise UserError("no document is left; check the corpus' columns, filters and limits")
        except UserError as mistake:
            raise UserError(f"corpus {arguments.name}: {mistake}") from None
        description = Description()
        write_portions(description.reading(draft.kept()), SCHEMA, arguments.documents)
    manifest = {**origin, **counts, **description.as_dict()}
    write_json({"name": arguments.name, "held_out": arguments.held_out, **manifest}, arguments.manifest)


def _write(draft: Draft, spec: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    """Write all documents to the draft; returns their origin for the manifest."""
    if spec.get("source") == "derived":
        return _write_derived(draft, spec, arguments)
    reading = read_source(spec)
    documents, origin = reading.documents, reading.provenance
    counted = Counted()
    if "sample_bytes" in spec:
        documents = sample(documents, spec["sample_bytes"], arguments.seed, counted)
    skipped: Counter[str] = reading.skipped
    draft.write(split_documents(documents, arguments.held_out, arguments.seed, skipped))
    if "sample_bytes" in spec:
        origin = {**origin, "sampled_from": asdict(counted)}
    return {**origin, "skipped": dict(skipped)}


def _write_derived(draft: Draft, spec: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    if not arguments.base:
        raise UserError("a derived corpus needs the documents of its base; name them with --base")

    def base() -> Iterator[Document]:
        return read_documents(arguments.base)

    kind, name = spec.get("kind", ""), spec.get("base", "its base")
    draft.write(derive(base, kind, arguments.seed))
    return {
        "source": f"derived: {kind} of {name}",
        "revision": content_hash(row_groups(arguments.base)),
        "licence": f"that of {name}",
        "skipped": {},
    }


def _train_texts(path: str) -> Iterator[str]:
    """The texts on the train side of a documents table."""
    for table in row_groups(path, ["split", "text"], f"comparison with {path}"):
        yield from table.filter(pc.equal(table.column("split"), "train")).column("text").to_pylist()


if __name__ == "__main__":
    run(main)
