"""The effect of each switch on the alignment of one worked example: the tables of docs/method/fisher.md.

    python -m benchmarks.worked_example

Everything is made here from seeded templates, so the example is the same everywhere: word problems about animals (T,
the target), word problems about other things (A) and shell commands (B), and a probe of 2 x 32 trained on problems and
commands with other words. `workflow_scripts/flip_switches.py` embeds and compares; this
program prints its result as Markdown: the mean alignment of A, B and other documents of T to T, and the separation,
which is the gap between A and B in standard deviations of their batch means.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from workflow_scripts import flip_switches, train_probe
from workflow_scripts.command_line import parser_for, run, set_threads
from workflow_scripts.storage.tables import read_frame
from workflow_scripts.tokens.encode import EncodedDocument, encode_documents
from workflow_scripts.tokens.layouts import one_row_each, pack
from workflow_scripts.tokens.rows import write_row_portions
from workflow_scripts.tokens.tokenizer import load_tokenizer, train_tokenizer

NAMES = ("Ann", "Bo", "Cy", "Dee")
PROBLEMS = (
    "{name} has {n} {thing} and gets {m} more. How many {thing} has {name} now?",
    "{name} sells {m} of {n} {thing}. How many are left?",
    "{name} sees {n} {thing} a day for {m} days, and writes down how many {thing} that makes in all.",
)
COMMANDS = (
    "mv {thing}{n}.txt {thing}/{m}.txt && ls {thing}",
    "grep -c {thing} file{n}.log | head -n {m} > {thing}.out",
    "for i in {n} {m}; do cat {thing}$i.csv >> all-{thing}.csv; done; rm {thing}*.csv",
)
KINDS = {
    "T": (PROBLEMS, ("cows", "hens", "goats", "ducks", "horses")),
    "A": (PROBLEMS, ("pens", "cups", "books", "coins", "hens")),
    "B": (COMMANDS, ("data", "notes", "mail", "hens", "cups")),
    "probe": (PROBLEMS + COMMANDS, ("figs", "lamps", "maps", "trees", "books", "notes")),
}
DOCUMENTS = {"T": 800, "A": 400, "B": 400, "probe": 4000}
LENGTH, VOCABULARY, END_OF_TEXT_ID = 64, 400, 0
MODEL = {"type": "gpt2", "settings": {"n_layer": 2, "n_embd": 32, "n_head": 2, "n_positions": LENGTH}}
TRAINING = {
    "context": LENGTH,
    "batch_rows": 16,
    "learning_rate": 0.004,
    "schedule": "cosine",
    "warmup_steps": 20,
}
TOKENS = 140_000
BATCHES, ROWS_PER_BATCH, HEAD_EPOCHS = 4, 16, 1


def texts(kind: str) -> Iterator[str]:
    """Documents of one to three sentences of a kind, always the same."""
    generator = np.random.default_rng(sorted(KINDS).index(kind))
    templates, things = KINDS[kind]
    for _ in range(DOCUMENTS[kind]):
        yield " ".join(
            str(generator.choice(templates)).format(
                name=generator.choice(NAMES),
                thing=generator.choice(things),
                n=generator.integers(2, 30),
                m=generator.integers(2, 10),
            )
            for _ in range(generator.integers(1, 4))
        )


def measured(folder: Path, threads: int) -> pd.DataFrame:
    """Alignment of batch pairs under every switch, as `flip_switches` writes it."""
    written = {kind: list(texts(kind)) for kind in KINDS}
    train_tokenizer(written["probe"], VOCABULARY).save_pretrained(folder / "tokenizer")

    def encoded(kind: str, part: slice) -> list[EncodedDocument]:
        frame = pd.DataFrame({"text": written[kind][part], "prompt": None, "completion": None})
        frame.insert(0, "doc_id", [f"{kind}-{number}" for number in range(len(frame))])
        return list(encode_documents(load_tokenizer(str(folder / "tokenizer")), frame))

    write_row_portions(pack(encoded("probe", slice(None)), LENGTH, "probe.train"), folder / "probe.parquet")
    train_probe.main(
        [
            f"--rows={folder / 'probe.parquet'}",
            f"--model={json.dumps(MODEL)}",
            f"--settings={json.dumps(TRAINING)}",
            f"--tokens={TOKENS}",
            "--seed=0",
            f"--tokenizer={folder / 'tokenizer'}",
            f"--output={folder / 'probe'}",
            f"--manifest={folder / 'probe.json'}",
            f"--times={folder / 'probe_times.json'}",
            f"--checkpoints={folder / 'checkpoints'}",
            f"--threads={threads}",
        ]
    )
    sets = {
        "T.train": encoded("T", slice(0, None, 2)),
        "T.eval": encoded("T", slice(1, None, 2)),
        "A.train": encoded("A", slice(None)),
        "B.train": encoded("B", slice(None)),
    }
    options = []
    for name, documents in sets.items():
        rows = {
            "packed": pack(documents, LENGTH, name),
            "documents": one_row_each(documents, LENGTH, END_OF_TEXT_ID, name),
        }
        for layout, laid_out in rows.items():
            path = folder / f"{name}.{layout}.parquet"
            write_row_portions(laid_out, path)
            options.append(f"--{layout}={name}={path}")
    flip_switches.main(
        [
            *options,
            f"--model={folder / 'probe'}",
            f"--tokenizer={folder / 'tokenizer'}",
            f"--batches={BATCHES}",
            f"--rows-per-batch={ROWS_PER_BATCH}",
            f"--head-epochs={HEAD_EPOCHS}",
            "--seed=0",
            f"--store={folder / 'store'}",
            "--device=cpu",
            f"--threads={threads}",
            f"--output={folder / 'switches.parquet'}",
            f"--times={folder / 'switches.json'}",
        ]
    )
    return read_frame(folder / "switches.parquet")


def summary(pairs: pd.DataFrame) -> pd.DataFrame:
    """Mean alignments to T and the separation of A and B, a row per end and switch, in the order of the pairs."""
    pairs = pairs.assign(switch=pairs["switch"].fillna("none"))
    by_batch = pairs.groupby(["end", "switch", "train_set", "source_batch"], sort=False)["alignment"].mean()
    sets = by_batch.groupby(["end", "switch", "train_set"], sort=False)
    means, variances = sets.mean().unstack("train_set"), sets.var().unstack("train_set")
    found = means.rename(columns=lambda name: f"{name} to T")[["A to T", "B to T", "T to T"]]
    spread = np.sqrt((variances["A"] + variances["B"]) / 2)
    order = pairs[["end", "switch"]].drop_duplicates()
    return found.assign(separation=(means["A"] - means["B"]) / spread).loc[list(map(tuple, order.to_numpy()))]


def markdown(table: pd.DataFrame) -> str:
    """One table for each end."""
    lines = []
    for end, part in table.groupby(level="end", sort=False):
        lines += ["", f"| from `{end}`, one change | {' | '.join(part.columns)} |", "|---|" + "--:|" * 4]
        for (_, switch), row in part.iterrows():
            name = "none" if switch == "none" else f"`{switch}`"
            figures = [f"{value:.3f}".lstrip("0") for value in row.iloc[:3]] + [f"{row.iloc[3]:.1f}"]
            lines.append(f"| {name} | {' | '.join(figures)} |")
    return "\n".join(lines[1:])


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args(argv)
    set_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        print(markdown(summary(measured(Path(folder), arguments.threads))))


if __name__ == "__main__":
    run(main)
