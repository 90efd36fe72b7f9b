"""Does each metric recognise a corpus' own held-out half, and does it rise with the share of the target?

Run as `PLUMBLINE_SHARED=<folder> python -m studies.self_closeness --work <folder>`. Finished work in the work folder
is not repeated. Prints JSON lines:

- `self_closeness`: for every metric and corpus, the alignment of one half of its documents to the other half, and
  the highest alignment of any other corpus to that half. `margin_sd` is the difference in units of the spread
  (standard deviation) of the other corpora; `won` is true if the own half is the closest.
- `mixture`: for every metric and pair of corpora, the alignment of mixtures with the first corpus' held-out half, mean
  over seeds. Mixtures have the fractions 0, .25, .5, .75 and 1 of the first corpus. `reversals` are the steps at which
  the paired 95% interval of the rise is below zero.
- `document_length`: for each Fisher measure, the alignment of a corpus to its held-out half with its documents
  unchanged (`cut` is null), and cut into pieces of at most `cut` tokens. `moved` is the change by cutting, and
  `matters` is true if it is outside the interval of whole documents. Pieces in shuffled order, like short documents,
  also give most tokens another context; pieces that stay `in place` change only ends of text.
- `left_out`: corpora with too few documents for a measure's batches.
- `cost`: seconds of each metric for all sets, including embeddings.

`task2vec_published` reads one document per row and 4 batches with a head fit, as in config.yaml; all others read packed
rows. Exits with code 1 if task2vec_body loses one of the corpora that it must win, or if task2vec or task2vec_body
reverses. It also does so if the length of documents matters to one of these, at any length and in either order.
"""

import gzip
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from workflow_scripts import compare_sets, embed_batches, train_probe
from workflow_scripts.command_line import parser_for, set_threads
from workflow_scripts.errors import UserError
from workflow_scripts.metrics.base import Metric
from workflow_scripts.metrics.registry import metric_class, metric_names
from workflow_scripts.storage.tables import read_frame
from workflow_scripts.tokens.encode import EncodedDocument, encode_documents
from workflow_scripts.tokens.layouts import one_row_each, pack
from workflow_scripts.tokens.mixture import mix, random_rows
from workflow_scripts.tokens.rows import Rows, joined, read_rows, write_row_portions, write_rows
from workflow_scripts.tokens.tokenizer import load_tokenizer, train_tokenizer

PROBE_CORPORA = ("pile_cc", "pile_openwebtext2", "django", "af_mathlib3_docstrings")
MUST_WIN = ("pubmed", "uspto", "pile_wikipedia", "pile_stackexchange", "nl2bash", "spider_sql", "gsm8k")
OTHERS = (
    *("pile_hackernews", "pile_nih_exporter", "pile_pubmed_abstracts", "pile_uspto_backgrounds"),
    *("scitldr_abstracts", "sgd_dialogues", "shakespeare", "fairytales", "wikitext2", "deep_regex"),
    *("af_forml4_lean4", "lean4_proofs", "concode"),
)
MIXTURES = (("pubmed", "uspto"), ("pile_wikipedia", "pile_stackexchange"), ("nl2bash", "spider_sql"))
FRACTIONS = (0.0, 0.25, 0.5, 0.75, 1.0)
LENGTHS_OF = "pubmed"
CUTS = (128, 96, 64, 32)  # most tokens of a document, from a whole row down to a quarter of one
UNCUT = 100_000
CORRECTED = ("task2vec", "task2vec_body")
FLOOR = "random_tokens.train"
LENGTH, VOCABULARY = 128, 4096
END_OF_TEXT_ID = 0
MODEL = {
    "type": "gpt2",
    "settings": {
        "n_layer": 2,
        "n_embd": 128,
        "n_head": 4,
        "n_positions": LENGTH,
        "resid_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "attn_pdrop": 0.0,
    },
}
TRAINING = {
    "context": LENGTH,
    "batch_rows": 16,
    "learning_rate": 0.002,
    "schedule": "cosine",
    "warmup_steps": 50,
}
SIDES = ("train", "eval")
MOST_DOCUMENTS = 4000  # of a side: more than its batches need
FEW_BATCHES = 4  # of mixtures, of cut documents, and of the published estimator


def documents(folder: Path, corpus: str) -> pd.DataFrame:
    """The texts of a corpus, pairs joined by a line break."""
    with gzip.open(folder / f"{corpus}.jsonl.gz", "rt", encoding="utf-8") as stream:
        records = [json.loads(line) for line in stream]
    columns = next(c for c in (["text"], ["nl", "formal"], ["prompt", "completion"]) if c[0] in records[0])
    texts = ["\n".join(record[column] for column in columns) for record in records]
    ids = [f"{corpus}-{i}" for i in range(len(texts))]
    return pd.DataFrame({"doc_id": ids, "text": texts, "prompt": None, "completion": None})


class Bench:
    """The files of one benchmark, made when they are requested."""

    def __init__(
        self, work: Path, corpora: Path, batches: int, rows_per_batch: int, head_epochs: int, threads: int
    ):
        self.work, self.corpora, self.threads = work, corpora, threads
        self.batches, self.rows_per_batch = batches, rows_per_batch
        self.head_epochs = {"corrected": 0, "published": head_epochs}
        self.store = work / "store"

    @property
    def tokenizer_folder(self) -> Path:
        folder = self.work / "tokenizer"
        if not folder.exists():
            texts = [text for corpus in PROBE_CORPORA for text in documents(self.corpora, corpus)["text"]]
            train_tokenizer(texts, VOCABULARY).save_pretrained(folder)
        return folder

    @property
    def probe(self) -> Path:
        folder = self.work / "probe"
        if not folder.exists():
            rows = [str(self.whole_corpus(corpus)) for corpus in PROBE_CORPORA]
            options: dict[str, Any] = {
                "model": json.dumps(MODEL),
                "settings": json.dumps(TRAINING),
                "tokens": 1_000_000,
                "seed": 0,
                "tokenizer": self.tokenizer_folder,
                "output": folder,
                "manifest": self.work / "probe.json",
                "times": self.work / "probe_times.json",
                "checkpoints": self.work / "checkpoints",
                "threads": self.threads,
            }
            train_probe.main(["--rows", *rows, *as_options(options)])
        return folder

    def whole_corpus(self, corpus: str) -> Path:
        path = self.work / "whole" / corpus / "train.packed.parquet"
        if not path.exists():
            frame = documents(self.corpora, corpus)
            write_row_portions(pack(self.encoded(frame), LENGTH, f"{corpus}.train"), path)
        return path

    def encoded(self, frame: pd.DataFrame) -> Iterator[Any]:
        return encode_documents(load_tokenizer(str(self.tokenizer_folder)), frame)

    def half(self, corpus: str, side: str, layout: str) -> Path:
        """Rows of one half of the documents, in shuffled order; the halves are disjoint."""
        path = self.work / "rows" / layout / f"{corpus}.{side}.parquet"
        if not path.exists():
            write_rows(laid_out(self.encoded(self.half_documents(corpus, side)), layout, path.stem), path)
        return path

    def half_documents(self, corpus: str, side: str) -> pd.DataFrame:
        frame = documents(self.corpora, corpus).drop_duplicates("text").sample(frac=1, random_state=0)
        return frame.iloc[SIDES.index(side) :: 2].iloc[:MOST_DOCUMENTS]

    def cut(self, corpus: str, side: str, most_tokens: int, layout: str, order: str) -> Path:
        """Rows of one half, each document cut into several of at most so many tokens."""
        path = self.work / "rows" / layout / f"{corpus}-cut-{most_tokens}-{order}.{side}.parquet"
        if not path.exists():
            pieces = [
                EncodedDocument(f"{document.doc_id}-{start}", ids, np.ones(len(ids), dtype=bool), 0, 0)
                for document in self.encoded(self.half_documents(corpus, side))
                for start in range(0, len(document.input_ids) - 1, most_tokens)
                for ids in [np.append(document.input_ids[:-1][start : start + most_tokens], END_OF_TEXT_ID)]
            ]
            if order == "shuffled":
                pieces = [pieces[i] for i in np.random.default_rng(0).permutation(len(pieces))]
            write_rows(laid_out(pieces, layout, f"{corpus}-cut.{side}"), path)
        return path

    def noise(self) -> Path:
        path = self.work / "rows" / f"{FLOOR}.parquet"
        if not path.exists():
            count = self.batches * self.rows_per_batch
            write_rows(random_rows(count, LENGTH, VOCABULARY, {END_OF_TEXT_ID}, 0, FLOOR), path)
        return path

    def mixture(self, first: str, second: str, fraction: float, seed: int, layout: str) -> Path:
        """Rows of the training halves of two corpora; each seed draws other rows."""
        path = self.work / "rows" / layout / f"{first}-{second}-{fraction}-{seed}.train.parquet"
        if not path.exists():
            parts = []
            for corpus in (first, second):
                rows = read_rows(self.half(corpus, "train", layout))
                order = np.random.default_rng(seed).permutation(len(rows))
                parts.append(rows.take(order[: FEW_BATCHES * self.rows_per_batch]))
            write_rows(mix(parts, [fraction, 1 - fraction]), path)
        return path

    def embedding(self, estimator: str, rows: Path, batches: int) -> tuple[Path, Path]:
        """Embeddings of a set's rows, and the seconds they took."""
        name = rows.name.removesuffix(".parquet")
        folder = self.work / "embeddings" / estimator / rows.parent.name / str(batches)
        output, times = folder / f"{name}.parquet", folder / f"{name}.json"
        if not output.exists():
            options = {
                "set": f"{name}={rows}",
                "model": self.probe,
                "tokenizer": self.tokenizer_folder,
                "estimator": json.dumps({"name": estimator}),
                "batches": batches,
                "rows-per-batch": self.rows_per_batch,
                "head-epochs": self.head_epochs[estimator],
                "sampling": "disjoint",
                "seed": 0,
                "store": self.store,
                "output": folder,
                "times": folder,
                "device": "cpu",
                "threads": self.threads,
            }
            embed_batches.main(as_options(options))
        return output, times

    def epochs(self, metric: type[Metric]) -> int | None:
        estimator = metric.estimator()
        return self.head_epochs[estimator] if estimator else None

    def aligned(
        self, metric: type[Metric], sets: dict[str, Path], batches: int, output: str
    ) -> tuple[pd.DataFrame, float]:
        """The alignment table of some sets, and the seconds of all of them."""
        path = self.work / "alignment" / f"{output}.{metric.name}.parquet"
        cost = path.with_suffix(".cost.parquet")
        if not path.exists():
            inputs, times, estimator = {**sets, FLOOR: self.noise()}, [], metric.estimator()
            if estimator:
                for name, rows in inputs.items():
                    inputs[name], seconds = self.embedding(estimator, rows, batches)
                    times.append(f"--times={name}={seconds}")
            floor = inputs.pop(FLOOR)
            given = {
                "metric": metric.name,
                "floor": f"{FLOOR}={floor}",
                "tokenizer": self.tokenizer_folder,
                "model": self.probe,
                "batches": batches,
                "rows-per-batch": self.rows_per_batch,
                "seed": 0,
                "store": self.store,
                "threads": self.threads,
                "output": path,
                "cost": cost,
            }
            compare_sets.main([*as_options(given), *times, *(f"--set={n}={p}" for n, p in inputs.items())])
        return read_frame(path), float(read_frame(cost)["seconds"].sum())


def layout_of(metric: type[Metric]) -> str:
    """As in config.yaml: the published estimator reads one document per row, all others read packed rows."""
    return "documents" if metric.estimator() == "published" else "packed"


def laid_out(documents: Iterable[EncodedDocument], layout: str, prefix: str) -> Rows:
    if layout == "packed":
        return joined(list(pack(documents, LENGTH, prefix)))
    return joined(list(one_row_each(documents, LENGTH, END_OF_TEXT_ID, prefix)))


def as_options(values: dict[str, Any]) -> list[str]:
    return [f"--{name}={value}" for name, value in values.items()]


def self_closeness(table: pd.DataFrame, corpora: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The own half of each corpus against the nearest other corpus."""
    alignments = table.set_index(["source", "target"])["alignment"]
    for corpus in corpora:
        target = f"{corpus}.eval"
        own = alignments[f"{corpus}.train", target]
        others = pd.Series({c: alignments[f"{c}.train", target] for c in corpora if c != corpus})
        yield {
            "corpus": corpus,
            "own": round(own, 5),
            "nearest": others.idxmax(),
            "nearest_alignment": round(others.max(), 5),
            "margin_sd": round((own - others.max()) / others.std(), 3),
            "won": bool(own > others.max()),
        }


def mixture_curve(bench: Bench, metric: type[Metric], first: str, second: str, seeds: int) -> dict[str, Any]:
    """Mean alignment by the share of `first`, and the steps where the paired interval of the rise is below 0."""
    target = f"{first}.eval"
    values = np.empty((seeds, len(FRACTIONS)))
    for seed in range(seeds):
        layout = layout_of(metric)
        mixed = {f"{part}.train": bench.mixture(first, second, part, seed, layout) for part in FRACTIONS}
        sets = {**mixed, target: bench.half(first, "eval", layout)}
        table, _ = bench.aligned(metric, sets, FEW_BATCHES, f"{first}-{second}-{seed}")
        alignments = table[table["target"] == target].set_index("source")["alignment"]
        values[seed] = [alignments[name] for name in mixed]
    reversals = []
    for (low, before), (high, after) in pairwise(zip(FRACTIONS, values.T, strict=True)):
        rise = after - before
        upper = rise.mean() + stats.t.ppf(0.975, seeds - 1) * stats.sem(rise)
        if upper < 0:
            reversals.append([low, high])
    return {"alignment": np.round(values.mean(axis=0), 5).tolist(), "reversals": reversals}


def document_length(bench: Bench, metric: type[Metric]) -> Iterator[dict[str, Any]]:
    """One corpus against its held-out half, with whole documents and with documents cut shorter and shorter."""
    layout = layout_of(metric)
    # With one document per row, neighbouring rows do not matter.
    orders = ("shuffled", "in place") if layout == "packed" else ("shuffled",)
    versions = [(UNCUT, "shuffled"), *((most, order) for order in orders for most in CUTS)]
    sets = {
        f"{most} {order}.train": bench.cut(LENGTHS_OF, "train", most, layout, order)
        for most, order in versions
    }
    target = bench.cut(LENGTHS_OF, "eval", UNCUT, layout, "shuffled")
    table, _ = bench.aligned(metric, {**sets, "whole.eval": target}, FEW_BATCHES, f"{LENGTHS_OF}-lengths")
    found = table[table["target"] == "whole.eval"].set_index("source")
    whole = found.loc[f"{UNCUT} shuffled.train"]
    for most, order in versions:
        cut = found.loc[f"{most} {order}.train"]
        yield {
            "layout": layout,
            "cut": None if most == UNCUT else most,
            "pieces": order,
            "alignment": [round(float(cut[column]), 5) for column in ("alignment", "ci_low", "ci_high")],
            "moved": round(float(cut["alignment"] - whole["alignment"]), 5),
            "matters": not whole["ci_low"] <= cut["alignment"] <= whole["ci_high"],
        }


def swayed_by_length(rows: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """The corrected forms, at each length at which they leave the interval of whole documents."""
    for name in CORRECTED:
        for row in rows.get(name, []):
            if row["matters"]:
                yield f"{name}: documents of {row['cut']} tokens, {row['pieces']}, move it by {row['moved']}"


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--work", required=True, type=Path, help="folder for everything that is made")
    parser.add_argument("--metrics", nargs="+", help="all but those that need an encoder, unless named")
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--rows-per-batch", type=int, default=32)
    parser.add_argument("--head-epochs", type=int, default=5, help="head epochs of the published estimator")
    parser.add_argument("--seeds", type=int, default=5, help="of mixtures")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args(argv)
    if not os.environ.get("PLUMBLINE_SHARED"):
        raise UserError("PLUMBLINE_SHARED is not set: set it to the folder that contains corpora/")
    set_threads(arguments.threads)
    corpora_folder = Path(os.environ["PLUMBLINE_SHARED"]) / "corpora"
    bench = Bench(
        arguments.work,
        corpora_folder,
        arguments.batches,
        arguments.rows_per_batch,
        arguments.head_epochs,
        arguments.threads,
    )
    names = arguments.metrics or [
        name for name in metric_names() if "encoder" not in metric_class(name).needs
    ]
    corpora = (*MUST_WIN, *OTHERS)
    failures: list[str] = []
    lengths: dict[str, list[dict[str, Any]]] = {}
    for name in names:
        metric = metric_class(name)
        layout = layout_of(metric)
        batches = FEW_BATCHES if layout == "documents" else arguments.batches
        halves = {(c, side): bench.half(c, side, layout) for c in corpora for side in SIDES}
        known = [
            corpus
            for corpus in corpora
            if all(len(read_rows(halves[corpus, s])) >= batches * arguments.rows_per_batch for s in SIDES)
        ]
        sets = {f"{corpus}.{side}": halves[corpus, side] for corpus in known for side in SIDES}
        table, seconds = bench.aligned(metric, sets, batches, "halves")
        given = {"sets": len(sets), "batches": batches, "head_epochs": bench.epochs(metric)}
        show(kind="cost", metric=name, **given, seconds=round(seconds, 1))
        if len(known) < len(corpora):
            show(kind="left_out", metric=name, corpora=sorted(set(corpora) - set(known)))
        for row in self_closeness(table, known):
            show(kind="self_closeness", metric=name, **row)
            if name == "task2vec_body" and row["corpus"] in MUST_WIN and not row["won"]:
                failures.append(f"{name} is nearer to {row['nearest']} than to itself on {row['corpus']}")
        for first, second in MIXTURES:
            row = mixture_curve(bench, metric, first, second, arguments.seeds)
            show(kind="mixture", metric=name, target=first, other=second, seeds=arguments.seeds, **row)
            if name in CORRECTED and row["reversals"]:
                failures.append(f"{name} falls as the share of {first} in {second} rises: {row['reversals']}")
        if metric.estimator():
            lengths[name] = list(document_length(bench, metric))
            for row in lengths[name]:
                show(kind="document_length", metric=name, corpus=LENGTHS_OF, **row)
    failures.extend(swayed_by_length(lengths))
    for failure in failures:
        print(failure, file=sys.stderr)
    if failures:
        raise SystemExit(1)


def show(**values: Any) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main()
