"""The tables of the page."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from workflow_scripts.statistics.choice import with_seconds
from workflow_scripts.statistics.rows_curve import with_seconds as curve_with_seconds
from workflow_scripts.storage.tables import read_frame


def read_tables(files: Mapping[str, Path]) -> dict[str, pd.DataFrame]:
    """Tables by name; seconds from separate files are merged into their tables."""
    tables = {name: read_frame(path) for name, path in files.items()}
    cost = tables.pop("choice_cost", None)
    if "choice" in tables:
        tables["choice"] = with_seconds(tables["choice"], cost)
    curve_cost = tables.pop("rows_curve_cost", None)
    if "rows_curve" in tables:
        tables["rows_curve"] = curve_with_seconds(tables["rows_curve"], curve_cost)
    return tables
