"""The parts of pairs that are compared apart: whole rows, and answers only."""

import pandas as pd

WHOLE = "whole"
ANSWER = "answer"


def with_part(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its column `part`; one that was made before there were parts is of whole rows."""
    return table if "part" in table else table.assign(part=WHOLE)


def of_whole(table: pd.DataFrame) -> pd.DataFrame:
    """Alignments of whole rows."""
    table = with_part(table)
    return table[table["part"] == WHOLE]
