"""The sources of documents, one module each; to add a source, add a module with a `read(spec)` here."""

import importlib
import pkgutil
from typing import Any

from workflow_scripts.corpora.documents import Reading
from workflow_scripts.errors import UserError


def read_source(spec: dict[str, Any]) -> Reading:
    """Start reading the source that a config entry names."""
    source, known = spec.get("source"), source_names()
    if source not in known:
        raise UserError(f"unknown source {source!r}; known are {', '.join(known)}, derived")
    return importlib.import_module(f"{__name__}.{source}").read(spec)


def source_names() -> list[str]:
    """Names of all sources."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))
