"""Answers as lines of text."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from workflow_scripts.report.answers import amount, mix_sentence, share


def ranking_lines(ranking: pd.DataFrame, answer: Mapping[str, Any]) -> Iterator[str]:
    yield answer["sentence"]
    if answer["what_would_settle_it"]:
        yield answer["what_would_settle_it"]
    yield ""
    head = [
        "",
        "candidate",
        "effective tokens",
        "95% interval",
        "best with",
        "tokens",
        "worth",
        "leaked rows",
    ]
    trained = bool(ranking["loss"].notna().any())
    head += ["loss of a short run"] if trained else []
    rows = [
        [
            str(row["rank"]),
            row["candidate"],
            amount(row["effective_tokens"]),
            f"{amount(row['low'])} to {amount(row['high'])}",
            share(row["probability_best"]),
            amount(row["tokens"]),
            f"{row['worth']:.2f}",
            "-" if pd.isna(row["leaked_target_rows"]) else str(int(row["leaked_target_rows"])),
            *([_loss(row)] if trained else []),
        ]
        for row in ranking.to_dict("records")
    ]
    yield from aligned([head, *rows], left=(1,))
    for name, warnings in answer["warnings"].items():
        for warning in warnings:
            yield f"{name}: {warning}"


def _loss(row: Mapping[str, Any]) -> str:
    return "-" if pd.isna(row["loss"]) else f"{row['loss']:.3f} ± {1.96 * row['loss_se']:.3f}"


def mix_lines(mix: pd.DataFrame, gains: pd.DataFrame) -> Iterator[str]:
    yield mix_sentence(mix, gains)
    yield ""
    rows = [
        [
            row["candidate"],
            share(row["share"]),
            f"{share(row['share_low'])} to {share(row['share_high'])}",
            amount(row["tokens"]),
            f"{row['epochs']:.2f}",
            f"{row['price']:.2f}",
        ]
        for row in mix.sort_values("share", ascending=False, kind="stable").to_dict("records")
    ]
    yield from aligned(
        [["candidate", "share", "95% interval", "tokens", "epochs", "price"], *rows], left=(0,)
    )


def aligned(rows: Sequence[Sequence[str]], left: tuple[int, ...]) -> Iterator[str]:
    """Columns of equal width, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()
