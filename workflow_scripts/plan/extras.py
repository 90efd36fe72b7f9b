"""Checks for the optional packages that a run needs, before its first job starts."""

from collections.abc import Iterable
from typing import Any

from workflow_scripts.errors import UserError
from workflow_scripts.metrics.registry import metric_class


def demand_extras(jobs: Iterable[Any], encoder: str | None) -> None:
    """Refuse a run whose comparisons would fail because a package is missing. The UserError says how to install it."""
    metrics = {job.wildcards.get("metric") for job in jobs} - {None}
    for metric in sorted(metrics):
        missing = metric_class(metric).missing(encoder)
        if missing:
            raise UserError(f"{missing}, or take {metric} out of alignment.metrics in the config")
