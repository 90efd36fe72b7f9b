"""A folder of arrays addressed by the content they were computed from.

It is outside the declared outputs of the workflow, because Snakemake deletes those before a job starts and after it
fails. So finished arrays survive killed and failed jobs and a change of plan.
"""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from workflow_scripts.storage.tables import replaced_whole

logger = logging.getLogger(__name__)

_DIGEST_BYTES = 32


def content_key(**parts: Any) -> str:
    """SHA-256 of named parts: arrays by type, shape and bytes, everything else by its canonical JSON."""
    digest = hashlib.sha256()
    for name in sorted(parts):
        value = parts[name]
        digest.update(f"\0{name}\0".encode())
        if isinstance(value, np.ndarray):
            digest.update(f"{value.dtype.str}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        else:
            digest.update(json.dumps(value, sort_keys=True).encode())
    return digest.hexdigest()


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file's bytes."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class ContentStore:
    """`put` once, `get` later; an entry is the SHA-256 of its key and payload, followed by the payload, safetensors."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)

    def path(self, key: str) -> Path:
        return self.folder / key[:2] / key

    def get(self, key: str) -> dict[str, np.ndarray] | None:
        """The arrays under `key`; None if there are none, or if the file is damaged (a warning names it)."""
        path = self.path(key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        digest, payload = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        # Older entries have only the checksum of their payload; they may have cost days and stay valid.
        if digest not in (_digest(key, payload), hashlib.sha256(payload).digest()):
            logger.warning("damaged cache file %s (its checksum does not match); computing it again", path)
            path.unlink(missing_ok=True)
            return None
        return load(payload)

    def put(self, key: str, arrays: dict[str, np.ndarray]) -> None:
        payload = save({name: np.ascontiguousarray(value) for name, value in arrays.items()})
        with replaced_whole(self.path(key)) as temporary:
            temporary.write_bytes(_digest(key, payload) + payload)


def _digest(key: str, payload: bytes) -> bytes:
    """Checksum over key and payload, so that an entry stored in place of another one is detected."""
    return hashlib.sha256(key.encode() + payload).digest()
