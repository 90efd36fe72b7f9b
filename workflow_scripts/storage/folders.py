"""Folders that other libraries write and read, such as models and tokenizers, with a list of checksums inside."""

from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path

from workflow_scripts.errors import UserError
from workflow_scripts.storage.content_store import file_digest
from workflow_scripts.storage.durable import flush_to_disk
from workflow_scripts.storage.seals import DamagedFile
from workflow_scripts.storage.tables import is_unfinished, read_json, write_json

CHECKSUMS = "checksums.json"

# What transformers says, and what we say instead: its advice would run foreign code.
_REFUSALS = {
    "custom code": "it has code of its own, which is never run; use an architecture of the transformers library",
    "no file named model.safetensors": (
        "it has no file model.safetensors; other formats can run code and are never read, "
        "so save the weights with save_pretrained"
    ),
}


def seal_folder(folder: str | Path, place: str | Path | None = None) -> None:
    """List the checksums of the files in a folder; `place` is its final location, if it is not there yet.

    The files reach the disk before the list does, so after a power cut a list means that they are there.
    """
    folder = Path(folder)
    found = (path for path in folder.rglob("*") if path.is_file() and path != folder / CHECKSUMS)
    files = sorted(path for path in found if not is_unfinished(path.name))  # that a killed job left
    digests = {path.relative_to(folder).as_posix(): file_digest(path) for path in files}
    for path in (*files, *{path.parent for path in files}):
        flush_to_disk(path)
    write_json(digests, folder / CHECKSUMS, place=Path(place or folder) / CHECKSUMS)


def has_seal(folder: str | Path) -> bool:
    return (Path(folder) / CHECKSUMS).is_file()


def listed_digests(folder: str | Path) -> dict[str, str]:
    """The checksum of each file of a sealed folder, as listed; none of a folder without a list."""
    return read_json(Path(folder) / CHECKSUMS) if has_seal(folder) else {}


def check_folder(folder: str | Path, is_sealed: bool = False, only: Container[str] | None = None) -> None:
    """Refuse a folder whose files differ from those that were written; `only` limits which files are read.

    A folder without a list may come from elsewhere and is accepted, unless the caller knows that it `is_sealed`.
    """
    if not (is_sealed or has_seal(folder)):
        return
    for name, digest in read_json(Path(folder) / CHECKSUMS).items():
        if only is not None and name not in only:
            continue
        path = Path(folder) / name
        if not path.is_file() or file_digest(path) != digest:
            state = "damaged (its checksum does not match)" if path.is_file() else "missing"
            raise DamagedFile(
                f"{path} is {state}: delete the folder {folder} and run the same command again to rebuild it"
            )


@contextmanager
def checked_folder(name: str | Path, what: str) -> Iterator[None]:
    """Check the folder that is read in this block, if it is one, and turn its reader's errors into one sentence."""
    from safetensors import SafetensorError

    check_folder(name)
    try:
        yield
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]
        for said, refusal in _REFUSALS.items():
            reason = refusal if said in reason else reason
        raise UserError(f"no {what} could be read from {name}: {reason}") from error
