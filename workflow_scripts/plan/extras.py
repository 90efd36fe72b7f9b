"""Checks for the optional packages that a run needs, before its first job starts."""

import importlib.util
from collections.abc import Iterable, Mapping
from typing import Any

from workflow_scripts.errors import UserError
from workflow_scripts.metrics.registry import metric_class
from workflow_scripts.models.formats import INSTALL_PEFT


def demand_extras(
    jobs: Iterable[Any], encoder: str | None, recipes: Mapping[str, Mapping[str, Any]] | None = None
) -> None:
    """Refuse a run whose jobs would fail because a package is missing. The UserError says how to install it."""
    wildcards = [job.wildcards for job in jobs]
    of_adapters = [name for name, recipe in (recipes or {}).items() if recipe.get("adapter")]
    trained = sorted({one.get("recipe") for one in wildcards} & set(of_adapters))
    if trained and importlib.util.find_spec("peft") is None:
        raise UserError(
            f"recipes.{trained[0]}.adapter needs peft: {INSTALL_PEFT}, or take adapter out of the recipe"
        )
    for metric in sorted({one.get("metric") for one in wildcards} - {None}):
        missing = metric_class(metric).missing(encoder)
        if missing:
            raise UserError(f"{missing}, or take {metric} out of alignment.metrics in the config")
