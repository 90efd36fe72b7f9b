"""The sources of documents. A new one is a new module with a `read(spec)`, named here."""

from collections.abc import Callable
from typing import Any

from workflow_scripts.command_line import UserError
from workflow_scripts.corpora import environment, files, hub
from workflow_scripts.corpora.documents import Reading

SOURCES: dict[str, Callable[[dict[str, Any]], Reading]] = {
    "environment": environment.read,
    "files": files.read,
    "hub": hub.read,
}


def read_source(spec: dict[str, Any]) -> Reading:
    """Begin to read the source that a config entry names."""
    source = spec.get("source")
    if source not in SOURCES:
        raise UserError(f"source {source!r} is not one of {', '.join(SOURCES)}, derived")
    return SOURCES[source](spec)
