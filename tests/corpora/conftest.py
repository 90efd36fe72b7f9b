"""A server on loopback with the shape of the Hugging Face Hub: enough of it to list and download data sets.

What a data set does is set by its name: `flaky` answers 503 to the first question after its commit and to the first
for its data, `slow` does not answer, `gated` refuses, `renamed` redirects to `plain`, `moving` gets
a new commit on its branch as soon as it has been asked which one that is. `limited` answers 429 and asks to
wait. Of its data, `torn` closes the connection in the middle, `stalled` stops sending. Each does so the first time.
"""

import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest

OLD, NEW = "1" * 40, "2" * 40
REVISIONS = {"main": NEW, "v1": OLD, OLD: OLD, NEW: NEW}
DATA_SETS = ("plain", "flaky", "moving", "limited", "torn", "stalled")
RETRY_AFTER_SECONDS = 3
CARD = "---\nlicense: mit\n---\nA data set of numbered lines.\n"


def lines_of(commit: str) -> str:
    """The data file of a commit: 40 lines that say which commit they are of."""
    word = "old" if commit == OLD else "new"
    return "".join(json.dumps({"text": f"{word} line number {number}"}) + "\n" for number in range(40))


def files_of(commit: str) -> dict[str, bytes]:
    return {"README.md": CARD.encode(), "train.jsonl": lines_of(commit).encode()}


class HubServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[str] = []
        self.asked: Counter[str] = Counter()
        self.refused: Counter[str | None] = Counter()
        self.failed: set[str] = set()
        self.keys: set[str] = set()
        self.release = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubServer

    def log_message(self, *arguments: object) -> None:
        self.server.requests.append(f"{self.command} {unquote(self.path)}")

    def do_GET(self) -> None:
        self.server.keys.add(self.headers.get("Authorization", ""))
        path = unquote(urlsplit(self.path).path)
        name = re.match(r"/(?:api/)?datasets/(owner/\w+)", path)
        if name is None:
            self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif name[1] == "owner/slow":
            self.server.release.wait(900)
            self.close_connection = True
        elif name[1] == "owner/gated":
            self._answer(403, b"{}", {"X-Error-Code": "GatedRepo"})
        elif name[1] == "owner/renamed":
            self._answer(307, b"", {"Location": self.path.replace("owner/renamed", "owner/plain")})
        elif name[1].removeprefix("owner/") not in DATA_SETS:
            self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        else:
            self._serve(name[1], path)

    do_HEAD = do_GET

    def _serve(self, name: str, path: str) -> None:
        found = re.match(r"/(?:api/)?datasets/\w+/\w+(?:/(revision|tree|resolve)/([^/]+)(?:/(.*))?)?$", path)
        action, revision, file = found.groups() if found else ("none", "none", None)
        commit = REVISIONS.get(revision or "main")
        if name == "owner/moving" and revision in (None, "main"):
            self.server.asked[name] += 1
            commit = OLD if self.server.asked[name] == 1 else NEW
        if commit is None:
            self._answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            return
        files = files_of(commit)
        if (
            name == "owner/flaky"
            and (action is None or file == "train.jsonl")
            and not self.server.refused[action]
        ):
            self.server.refused[action] += 1
            self._answer(503, b"busy", {})
            return
        if name == "owner/limited" and action is None and not self.server.refused[name]:
            self.server.refused[name] += 1
            self._answer(429, b"too many", {"Retry-After": str(RETRY_AFTER_SECONDS)})
            return
        if file == "train.jsonl" and self.command == "GET" and self._fails_once(name, files[file], commit):
            return
        if action in (None, "revision"):
            info = {
                "id": name,
                "sha": commit,
                "cardData": {"license": "mit"},
                "siblings": [],
                "tags": [],
                "gated": False,
            }
            self._json(info)
        elif action == "tree":
            self._json([self._entry(path, content) for path, content in files.items()])
        elif file in files:
            self._file(files[file], commit)
        else:
            self._answer(404, b"{}", {"X-Error-Code": "EntryNotFound"})

    def _fails_once(self, name: str, content: bytes, commit: str) -> bool:
        """The first answer with the data of a data set that fails in its own way."""
        if name not in ("owner/torn", "owner/stalled") or name in self.server.failed:
            return False
        self.server.failed.add(name)
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", commit)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        self.wfile.flush()
        if name == "owner/stalled":
            self.server.release.wait(900)
        self.close_connection = True
        return True

    def _file(self, content: bytes, commit: str) -> None:
        headers = {
            "ETag": f'"{hashlib.sha1(content).hexdigest()}"',
            "X-Repo-Commit": commit,
            "Accept-Ranges": "bytes",
        }
        asked = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if asked:
            start, end = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
            headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
            self._answer(206, content[start : end + 1], headers)
        else:
            self._answer(200, content, headers)

    def _entry(self, path: str, content: bytes) -> dict[str, object]:
        return {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}

    def _json(self, value: object) -> None:
        self._answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for header, value in headers.items():
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@pytest.fixture(scope="session")
def hub_server() -> Iterator[HubServer]:
    server = HubServer()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.release.set()
    server.shutdown()
    server.server_close()
