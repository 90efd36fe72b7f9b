"""Formats tables and numbers as Markdown."""

from collections.abc import Mapping

import pandas as pd

from workflow_scripts.errors import UserError

NOTHING = "–"


def markdown(table: pd.DataFrame) -> str:
    """A Markdown table; text columns are aligned left, columns from `of_number` right."""
    left = [i == 0 for i in range(table.shape[1])]
    lines = [list(table.columns), ["---" if to_left else "--:" for to_left in left]]
    lines += [list(map(str, row)) for row in table.itertuples(index=False)]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def of_number(value: float, digits: int = 2) -> str:
    """A number with a real minus sign, or a dash if it is missing."""
    return NOTHING if pd.isna(value) else f"{value:.{digits}f}".replace("-", "−")


def with_interval(row: Mapping[str, float], value: str, low: str, high: str, digits: int = 2) -> str:
    """0.81 (0.70 to 0.92), or only the number if it has no interval."""
    if pd.isna(row[low]) or pd.isna(row[high]):
        return of_number(row[value], digits)
    return (
        f"{of_number(row[value], digits)} ({of_number(row[low], digits)} to {of_number(row[high], digits)})"
    )


def of_panel(frame: pd.DataFrame, options: Mapping[str, str]) -> pd.DataFrame:
    """Rows of one experiment and part, at the requested or the largest budget."""
    chosen = frame[
        (frame["experiment"] == options["experiment"]) & (frame["part"] == options.get("part", "whole"))
    ]
    if chosen.empty:
        raise UserError(f"no row is recorded for {' '.join(f'{k}={v}' for k, v in options.items())}")
    tokens = int(options.get("tokens", chosen["tokens"].max()))
    return chosen[chosen["tokens"] == tokens]
