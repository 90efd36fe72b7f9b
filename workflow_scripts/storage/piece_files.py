"""Many small arrays in few files: a file of a content store holds all pieces of one owner, each with its seconds."""

import numpy as np

from workflow_scripts.storage.content_store import ContentStore

SAVE_AFTER = 20.0
"""Seconds of work after which new pieces are written; a killed job loses no more than that."""
_SECONDS = ".seconds"


class PieceFiles:
    """Pieces by file and name, both hashes of what they were computed from.

    New pieces are added to their files from time to time and by `save`. A file is read again right before it is
    replaced as a whole. If two jobs replace the same file at the same moment, the pieces of one of them are missing
    and are computed again. A damaged file loses all of its pieces.
    """

    def __init__(self, store: ContentStore):
        self.store = store
        self._known: dict[str, dict[str, np.ndarray]] = {}
        self._new: dict[str, dict[str, np.ndarray]] = {}
        self._unsaved = 0.0

    def get(self, file: str, name: str) -> tuple[np.ndarray, float] | None:
        """A piece and the seconds that it took; None if it is not stored."""
        if file not in self._known:
            self._known[file] = self.store.get(file) or {}
        pieces = self._known[file]
        if name not in pieces or name + _SECONDS not in pieces:
            return None
        return pieces[name], float(pieces[name + _SECONDS][0])

    def put(self, file: str, name: str, values: np.ndarray, seconds: float) -> None:
        piece = {name: values, name + _SECONDS: np.array([seconds])}
        self._known.setdefault(file, {}).update(piece)
        self._new.setdefault(file, {}).update(piece)
        self._unsaved += seconds
        if self._unsaved > SAVE_AFTER:
            self.save()

    def save(self) -> None:
        """Write all new pieces."""
        for file, pieces in self._new.items():
            self.store.put(file, {**(self.store.get(file) or {}), **pieces})
        self._new, self._unsaved = {}, 0.0
