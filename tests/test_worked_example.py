"""The worked example of docs/method/fisher.md is what its program prints."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.worked_example import markdown, measured, summary


def tables_of(text: str) -> pd.DataFrame:
    """Figures of Markdown tables by end and switch."""
    found: dict[tuple[str, str], list[float]] = {}
    end = ""
    for line in text.splitlines():
        if start := re.match(r"\| from `(\w+)`, one change \|", line):
            end = start[1]
        elif end and re.match(r"\| `?\w+`? \|", line):
            switch, *figures = line.strip("| ").split(" | ")
            found[end, switch.strip("`")] = [float(figure) for figure in figures]
    return pd.DataFrame.from_dict(found, orient="index")


def test_the_documentation_shows_what_the_program_prints(root: Path, tmp_path: Path) -> None:
    written = tables_of((root / "docs" / "method" / "fisher.md").read_text(encoding="utf-8"))
    made = tables_of(markdown(summary(measured(tmp_path, threads=1))))
    assert len(made) == 22 and list(made.index) == list(written.index)
    # Other processors round differently, and a label or two of the draws may change with that.
    np.testing.assert_allclose(made.iloc[:, :3], written.iloc[:, :3], atol=0.003)
    np.testing.assert_allclose(made.iloc[:, 3], written.iloc[:, 3], rtol=0.05, atol=0.1)


def test_separation_is_the_gap_in_standard_deviations_of_batch_means() -> None:
    values = {"A": [0.8, 0.6], "B": [0.5, 0.5], "T": [0.9, 0.9]}
    pairs = [
        {
            "end": "published",
            "switch": None,
            "train_set": name,
            "source_batch": batch,
            "alignment": value + more,
        }
        for name, means in values.items()
        for batch, value in enumerate(means)
        for more in (-0.1, 0.1)
    ]
    (row,) = summary(pd.DataFrame(pairs)).itertuples()
    assert row.Index == ("published", "none")
    # Batch means of A have a variance of .02, those of B none.
    np.testing.assert_allclose(row[1:], [0.7, 0.5, 0.9, 0.2 / 0.1])
