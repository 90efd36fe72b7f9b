"""The sources of documents, one module each; a new source is a new module here with a `read(spec)`."""

import importlib
import pkgutil
from typing import Any

from workflow_scripts.corpora.documents import Reading
from workflow_scripts.errors import UserError


def read_source(spec: dict[str, Any]) -> Reading:
    """Begin to read the source that a config entry names."""
    source, known = spec.get("source"), source_names()
    if source not in known:
        raise UserError(f"source {source!r} is not one of {', '.join(known)}, derived")
    return importlib.import_module(f"{__name__}.{source}").read(spec)


def source_names() -> list[str]:
    """The sources that there are."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))
