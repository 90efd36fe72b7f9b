"""The tables that the page is drawn from."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from workflow_scripts.statistics.choice import with_seconds
from workflow_scripts.storage.tables import read_frame


def read_tables(files: Mapping[str, Path]) -> dict[str, pd.DataFrame]:
    """Tables by name; the seconds of choices, kept in a file of their own, are put beside them."""
    tables = {name: read_frame(path) for name, path in files.items()}
    cost = tables.pop("choice_cost", None)
    if "choice" in tables:
        tables["choice"] = with_seconds(tables["choice"], cost)
    return tables
