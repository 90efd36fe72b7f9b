"""All metrics, found by listing the modules of this package."""

import importlib
import pkgutil
from pathlib import Path

from workflow_scripts.errors import UserError
from workflow_scripts.metrics.base import Metric


def _metric_of(module_name: str) -> type[Metric] | None:
    """The metric that a module defines under its own name, if it defines one."""
    module = importlib.import_module(f"workflow_scripts.metrics.{module_name}")
    for value in vars(module).values():
        if (
            isinstance(value, type)
            and issubclass(value, Metric)
            and getattr(value, "name", None) == module_name
        ):
            return value
    return None


def _module_names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))


def metric_names() -> list[str]:
    """Names of all metrics, in alphabetical order."""
    return [name for name in _module_names() if _metric_of(name) is not None]


def metric_class(name: str) -> type[Metric]:
    """The metric called `name`; imports only its module."""
    metric = _metric_of(name) if name in _module_names() else None
    if metric is None:
        raise UserError(f"metric {name!r} is unknown; known are {', '.join(metric_names())}")
    return metric
