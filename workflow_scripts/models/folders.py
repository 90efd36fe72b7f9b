"""Models written to disk atomically, with checksums."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_scripts.errors import UserError
from workflow_scripts.storage.durable import flush_to_disk
from workflow_scripts.storage.folders import check_folder, seal_folder
from workflow_scripts.storage.tables import UNFINISHED

if TYPE_CHECKING:
    from transformers import PreTrainedModel


_ONE_FILE = 1 << 62
"""Bytes of the largest file of weights: rules declare `model.safetensors`, however large a model is."""


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that replaces `folder` if the block ends without an error."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        dir=folder.parent, prefix=f".{folder.name}.", suffix=UNFINISHED
    ) as temporary:
        written = Path(temporary) / folder.name
        yield written
        if folder.exists():
            shutil.rmtree(folder)
        written.rename(folder)
        flush_to_disk(folder.parent)


def save_model(model: "PreTrainedModel", folder: Path) -> None:
    """Write a model as safetensors and JSON, with a list of their checksums."""
    from safetensors import SafetensorError

    with written_whole(folder) as written:
        try:
            model.save_pretrained(written, max_shard_size=_ONE_FILE)
        except SafetensorError as error:  # it does not carry the system's error number
            raise UserError(f"no model could be written to {folder}: {error}; is the disk full?") from error
        for file in written.iterdir():
            file.chmod(0o644)
        seal_folder(written, folder)


def copy_model(source: Path, folder: Path) -> None:
    """Copy an undamaged model; the copy is sealed for its own path."""
    check_folder(source)
    with written_whole(folder) as written:
        shutil.copytree(source, written)
        seal_folder(written, folder)
