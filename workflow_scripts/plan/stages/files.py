"""Where a run's files are, which of them may be requested, and how values are passed on a command line."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class RunFiles:
    """The folder of a run. After a failed run only existing files are requested."""

    root: str
    only_existing: bool

    def present(self, paths: Iterable[str]) -> list[str]:
        """The paths; under `only_existing` those that exist."""
        paths = list(paths)
        return [path for path in paths if Path(path).exists()] if self.only_existing else paths


@dataclass(frozen=True)
class SetName:
    """A side of a corpus, written `<corpus>.<side>`."""

    corpus: str
    side: str

    @classmethod
    def of(cls, text: str) -> "SetName":
        corpus, _, side = text.partition(".")
        return cls(corpus, side)

    def __str__(self) -> str:
        return f"{self.corpus}.{self.side}"


def one_line(value: Any) -> str:
    """One line of JSON; equal values give equal lines."""
    return json.dumps(value, sort_keys=True)
