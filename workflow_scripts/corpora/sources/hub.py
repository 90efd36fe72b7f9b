"""Documents from a Hugging Face data set, on the Hub or in a folder with the layout of one.

The revision is resolved to a commit first, and everything is read from that commit, so a branch that moves during
reading cannot mix two versions. The manifest records the commit. Code of a data set is never run.
"""

import hashlib
import logging
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from workflow_scripts.corpora.columns import RowReader
from workflow_scripts.corpora.documents import Reading, SourceDocument
from workflow_scripts.errors import UserError
from workflow_scripts.storage.content_store import content_key, file_digest

logger = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 30.0
_ATTEMPTS = 5
_LONGEST_WAIT_SECONDS = 3600.0
_SHUFFLE_BUFFER = 10_000
_IN_ITS_PLACE = "set `path` to another data set of these texts, or to a folder with a copy"
_COMMIT = re.compile(r"[0-9a-f]{40}")

_Result = TypeVar("_Result")


def read(spec: dict[str, Any]) -> Reading:
    """The first `documents` documents (default: all) of one split, shuffled first if the spec asks for it."""
    path = spec.get("path")
    if not path:
        raise UserError(
            "hub corpus: path is empty; set it to a data set such as roneneldan/TinyStories, or to a folder"
        )
    folder = Path(os.path.expandvars(path)).expanduser()
    on_disk = folder.is_dir()
    split = spec.get("split", "train")
    reader = RowReader(spec, f"hub corpus {path}")
    if on_disk:
        label, revision, stated_licence = folder.name, _folder_revision(folder), None
    else:
        _limit_waiting(spec.get("timeout_seconds", _TIMEOUT_SECONDS))
        revision, stated_licence = _with_retries(lambda: _resolve(path, spec.get("revision")), path, spec)
        label = path

    def documents() -> list[SourceDocument]:
        rows = _rows(spec, split, str(folder)) if on_disk else _rows(spec, split, path, revision)
        return list(reader.documents(_named(rows, f"{label}/{split}")))

    subset = f", {spec['name']}" if spec.get("name") else ""
    provenance = {
        "source": f"hub: {label}{subset}, split {split}",
        "revision": revision,
        "licence": spec.get("licence") or stated_licence or "not stated",
    }
    return Reading(_lazily(lambda: _with_retries(documents, path, spec)), provenance)


def _rows(
    spec: Mapping[str, Any], split: str, path: str, revision: str | None = None
) -> Iterable[dict[str, Any]]:
    import datasets

    datasets.disable_progress_bars()
    # Retries are made here, over the whole reading; counting downloads would need another host.
    datasets.config.STREAMING_READ_MAX_RETRIES = datasets.config.STREAMING_OPEN_MAX_RETRIES = 1
    datasets.config.STREAMING_READ_RETRY_INTERVAL = datasets.config.STREAMING_OPEN_RETRY_INTERVAL = 0
    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False
    streaming = spec.get("streaming", True)
    rows = datasets.load_dataset(path, spec.get("name"), split=split, revision=revision, streaming=streaming)
    if "shuffle_seed" in spec:
        buffer = {"buffer_size": spec.get("shuffle_buffer", _SHUFFLE_BUFFER)} if streaming else {}
        rows = rows.shuffle(seed=spec["shuffle_seed"], **buffer)
    return rows


def _named(rows: Iterable[dict[str, Any]], prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows named by their content, because a shuffled stream does not number its rows."""
    seen: Counter[str] = Counter()
    for row in rows:
        content = "\0".join(f"{column}={row[column]}" for column in sorted(row))
        digest = hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()[:16]
        seen[digest] += 1
        yield f"{prefix}#{digest}" + (f"@{seen[digest]}" if seen[digest] > 1 else ""), row


def _lazily(load: Callable[[], list[SourceDocument]]) -> Iterator[SourceDocument]:
    yield from load()


def _resolve(path: str, revision: str | None) -> tuple[str, str | None]:
    """The commit of a revision, and the licence on the data set's card."""
    from huggingface_hub import HfApi, is_offline_mode

    if is_offline_mode():
        if not revision or not _COMMIT.fullmatch(revision):
            raise UserError(f"hub corpus {path}: revision is {revision!r}; offline it must be a full commit")
        return revision, None
    info = HfApi().dataset_info(path, revision=revision)
    if info.id != path:
        raise UserError(f"hub corpus {path}: the data set has moved to {info.id}; write `path: {info.id}`")
    licence = info.card_data.get("license") if info.card_data else None
    return str(info.sha), ", ".join(licence) if isinstance(licence, list) else licence


def _folder_revision(folder: Path) -> str:
    """A hash over the files of a folder, hidden ones (such as .git) left out."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    relative = {path: path.relative_to(folder) for path in files}
    visible = [path for path in files if not any(part.startswith(".") for part in relative[path].parts)]
    return content_key(files={relative[path].as_posix(): file_digest(path) for path in visible})


def _limit_waiting(seconds: float) -> None:
    """Give every request a time-out, also those that the library sends without one."""
    from huggingface_hub import get_session, set_client_factory

    session = get_session()
    hooks = session.event_hooks

    def limit(request: Any) -> None:
        request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), seconds)

    set_client_factory(
        lambda: type(session)(
            event_hooks={**hooks, "request": [*hooks["request"], limit]},
            follow_redirects=True,
            timeout=seconds,
        )
    )


def _with_retries(action: Callable[[], _Result], path: str, spec: Mapping[str, Any]) -> _Result:
    """Retry after 1, 2, 4... seconds, or when the server says, if the network or the server failed.

    Any other error is reported.
    """
    attempts = spec.get("attempts", _ATTEMPTS)
    for attempt in range(1, attempts + 1):
        try:
            return action()
        except UserError:
            raise
        except Exception as error:
            reason = _passing_trouble(error)
            if reason is None:
                raise _explained(error, path, spec) from error
            if attempt == attempts:
                tries = f"{attempts} attempts" if attempts > 1 else "one attempt"
                raise UserError(f"hub corpus {path}: {reason}, after {tries}") from error
            wait = max(2.0 ** (attempt - 1), _asked_to_wait(error))
            logger.warning("%s: %s; trying again in %.0f s", path, reason, wait)
            time.sleep(wait)
    raise UserError(f"hub corpus {path}: attempts is {attempts}; allowed is 1 or more")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and its causes."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _passing_trouble(error: BaseException) -> str | None:
    """What is wrong if a retry may help, else None."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
    from huggingface_hub.utils import httpx

    for cause in _causes(error):
        if isinstance(cause, OfflineModeIsEnabled):
            return None
        if isinstance(cause, HfHubHTTPError):
            status = cause.response.status_code if cause.response is not None else 0
            return f"the server answered {status}" if status in (408, 429) or status >= 500 else None
        if isinstance(cause, httpx.TimeoutException):
            return "the server did not answer in time"
        if isinstance(cause, httpx.ConnectError):
            return "the Hub cannot be reached (no network?)"
        if isinstance(cause, httpx.TransportError):
            return f"the connection broke ({type(cause).__name__})"
    return "the connection broke" if isinstance(error, ConnectionError) else None


def _asked_to_wait(error: BaseException) -> float:
    """Seconds that the server asks to wait (Retry-After), at most an hour; 0 if it does not say."""
    from huggingface_hub.errors import HfHubHTTPError

    for cause in _causes(error):
        if isinstance(cause, HfHubHTTPError) and cause.response is not None:
            stated = cause.response.headers.get("Retry-After", "")
            return min(float(stated), _LONGEST_WAIT_SECONDS) if stated.isdecimal() else 0.0
    return 0.0


def _explained(error: Exception, path: str, spec: Mapping[str, Any]) -> Exception:
    """One clear line for errors that a user can correct; other errors are unchanged."""
    from datasets.exceptions import DatasetNotFoundError
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    label = f"hub corpus {path}"
    causes = list(_causes(error))
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if any(isinstance(cause, GatedRepoError) for cause in causes) or "gated" in text:
        return UserError(
            f"{label}: the data set is gated; accept its terms on its page and log in (hf auth login), "
            f"or {_IN_ITS_PLACE}"
        )
    if any(isinstance(cause, RevisionNotFoundError) for cause in causes):
        return UserError(
            f"{label}: there is no revision {spec.get('revision')!r}; leave `revision` out for the newest"
        )
    if any(isinstance(cause, RepositoryNotFoundError | DatasetNotFoundError) for cause in causes):
        return UserError(
            f"{label}: no such data set or folder, or the data set has moved or is private; {_IN_ITS_PLACE}"
        )
    if any(isinstance(cause, OfflineModeIsEnabled) for cause in causes):
        return UserError(
            f"{label}: it is not in the local cache, and HF_HUB_OFFLINE forbids downloads; {_IN_ITS_PLACE}"
        )
    if any(isinstance(cause, HFValidationError) for cause in causes):
        return UserError(
            f"{label}: path is neither an existing folder nor of the form owner/name; correct it"
        )
    if "scripts are no longer supported" in text:
        return UserError(
            f"{label}: this data set is a program, and programs are never run; read the Hub's own copy of it "
            f"(`revision: refs/convert/parquet`, without `name`), or {_IN_ITS_PLACE}"
        )
    if isinstance(error, ValueError) and re.match(r"(Bad|Unknown) split|BuilderConfig|Config name", text):
        return UserError(f"{label}: {text}")
    return error
