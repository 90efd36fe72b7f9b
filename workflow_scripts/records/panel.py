"""Which rows of a table a marker is about."""

from collections.abc import Mapping

import pandas as pd

from workflow_scripts.errors import UserError


def of_panel(frame: pd.DataFrame, options: Mapping[str, str]) -> pd.DataFrame:
    """Rows of one experiment and part, at the asked or the largest budget."""
    chosen = frame[
        (frame["experiment"] == options["experiment"]) & (frame["part"] == options.get("part", "whole"))
    ]
    if chosen.empty:
        raise UserError(f"nothing is recorded of {' '.join(f'{k}={v}' for k, v in options.items())}")
    tokens = int(options.get("tokens", chosen["tokens"].max()))
    return chosen[chosen["tokens"] == tokens]
