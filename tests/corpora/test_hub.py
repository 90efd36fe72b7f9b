"""Data sets of the Hub: from a folder, and from a server on loopback that has the Hub's shape.

The endpoint is read when the library is imported, so what needs the server runs in a process of its own:
one for all the questions.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.corpora.conftest import RETRY_AFTER_SECONDS
from workflow_scripts.corpora.sources import hub
from workflow_scripts.errors import UserError

SECRET = "hf_notForOthers"

ASK = """
import json, logging, sys, time
logging.basicConfig(level=logging.DEBUG)
from workflow_scripts.errors import UserError
from workflow_scripts.corpora.sources import hub
for line in sys.stdin:
    start = time.monotonic()
    try:
        reading = hub.read(json.loads(line))
        answer = {"texts": [one.text for one in reading.documents], **reading.provenance}
    except UserError as mistake:
        answer = {"mistake": str(mistake)}
    print(json.dumps({**answer, "seconds": time.monotonic() - start}), flush=True)
"""

QUESTIONS: dict[str, dict[str, Any]] = {
    "tag": {"path": "owner/plain", "revision": "v1"},
    "branch": {"path": "owner/plain"},
    "moving": {"path": "owner/moving", "documents": 1},
    "whole": {"path": "owner/plain", "streaming": False, "documents": 5},
    "shuffled": {"path": "owner/plain", "shuffle_seed": 1, "shuffle_buffer": 20, "documents": 10},
    "busy": {"path": "owner/flaky", "documents": 3},
    "limited": {"path": "owner/limited"},
    "torn": {"path": "owner/torn"},
    "torn file": {"path": "owner/torn", "streaming": False},
    "stalled": {"path": "owner/stalled", "timeout_seconds": 1},
    "slow": {"path": "owner/slow", "timeout_seconds": 0.3, "attempts": 2},
    "no revision": {"path": "owner/plain", "revision": "v9"},
    "no split": {"path": "owner/plain", "split": "test"},
    "gated": {"path": "owner/gated"},
    "moved": {"path": "owner/renamed"},
    "missing": {"path": "owner/nothing"},
}


def ask(endpoint: str, home: Path, questions: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_TOKEN": SECRET,
        "NO_PROXY": "127.0.0.1",
    }
    finished = subprocess.run(
        [sys.executable, "-c", ASK],
        input="\n".join(map(json.dumps, questions.values())),
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert SECRET not in finished.stdout + finished.stderr
    return dict(zip(questions, map(json.loads, finished.stdout.splitlines()), strict=True))


@pytest.fixture(scope="module")
def answers(hub_server, tmp_path_factory):
    return ask(hub_server.address, tmp_path_factory.mktemp("hub"), QUESTIONS)


def test_a_revision_is_pinned_to_its_commit(answers, hub_server):
    assert answers["tag"]["revision"] == "1" * 40
    assert answers["tag"]["texts"][:2] == ["old line number 0", "old line number 1"]
    assert answers["branch"]["revision"] == "2" * 40
    assert answers["branch"]["texts"][0] == "new line number 0"
    assert answers["branch"]["licence"] == "mit"
    data = [request for request in hub_server.requests if "train.jsonl" in request]
    assert data
    assert not any("/main/" in request or "/v1/" in request for request in data)


def test_a_branch_that_moves_while_it_is_read_gives_one_version(answers):
    assert answers["moving"]["revision"] == "1" * 40
    assert answers["moving"]["texts"] == ["old line number 0"]


def test_the_users_key_reaches_the_server_and_no_message(answers, hub_server):
    """`ask` has looked for it in all that was printed, at the most talkative level."""
    assert f"Bearer {SECRET}" in hub_server.keys


def test_a_cap_and_a_shuffle(answers):
    assert len(answers["branch"]["texts"]) == 40
    assert answers["whole"]["texts"] == [f"new line number {number}" for number in range(5)]
    assert len(set(answers["shuffled"]["texts"])) == 10
    assert answers["shuffled"]["texts"] != sorted(answers["shuffled"]["texts"])


def test_a_server_that_is_busy_is_asked_again(answers, hub_server):
    assert answers["busy"]["texts"] == [f"new line number {number}" for number in range(3)]
    assert hub_server.refused[None] == hub_server.refused["resolve"] == 1


@pytest.mark.parametrize("question", ["limited", "torn", "torn file", "stalled"])
def test_data_that_breaks_off_are_read_again_and_whole(answers, question):
    assert answers[question].get("texts") == [f"new line number {number}" for number in range(40)], answers[
        question
    ]


def test_the_server_decides_how_long_to_wait(answers):
    assert answers["limited"]["seconds"] >= RETRY_AFTER_SECONDS


def test_a_server_that_does_not_answer_is_left_in_time(answers):
    assert (
        answers["slow"]["mistake"]
        == "hub corpus owner/slow: the server did not answer in time, after 2 attempts"
    )
    assert answers["slow"]["seconds"] < 300  # the server keeps a question for 900


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("no revision", "there is no revision 'v9'; leave `revision` out for the newest"),
        ("no split", "Available splits: ['train']"),
        ("gated", "the data set is gated; accept its terms"),
        ("gated", "or set `path` to another data set of these texts, or to a folder with a copy"),
        ("moved", "has moved to owner/plain; write `path: owner/plain`"),
        ("missing", "no such data set"),
        ("missing", "set `path` to another data set of these texts, or to a folder with a copy"),
    ],
)
def test_what_a_user_can_put_right_is_said_in_one_line(answers, question, said):
    assert said in answers[question]["mistake"]
    assert "\n" not in answers[question]["mistake"]


def test_without_a_network_it_says_so(tmp_path):
    (answer,) = ask("http://127.0.0.1:9", tmp_path, {"x": {"path": "owner/plain", "attempts": 1}}).values()
    assert (
        answer["mistake"]
        == "hub corpus owner/plain: the Hub cannot be reached (no network?), after one attempt"
    )


@pytest.fixture
def repository(tmp_path):
    """A data-set repository on disk, with two configurations and two splits."""
    folder = tmp_path / "statements"
    for name in ("lean", "isabelle"):
        (folder / name).mkdir(parents=True)
        for split in ("train", "test"):
            rows = [{"nl": f"{split} statement {n}", "formal": f"{name} {n}"} for n in range(4)]
            (folder / name / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = "".join(
        f"- config_name: {name}\n  data_files:\n"
        + "".join(f"  - split: {split}\n    path: {name}/{split}.jsonl\n" for split in ("train", "test"))
        for name in ("lean", "isabelle")
    )
    (folder / "README.md").write_text(f"---\nconfigs:\n{files}---\nStatements.\n")
    return folder


def test_a_repository_on_disk_stands_where_a_name_does(repository, monkeypatch):
    monkeypatch.setenv("STATEMENTS", str(repository))
    spec = {
        "path": "$STATEMENTS",
        "name": "isabelle",
        "split": "test",
        "prompt_template": "{nl} ",
        "completion_template": "means {formal}",
        "licence": "CC0-1.0",
    }
    reading = hub.read(spec)
    found = list(reading.documents)
    assert [one.text for one in found] == [f"test statement {n} means isabelle {n}" for n in range(4)]
    assert reading.provenance["source"] == "hub: statements, isabelle, split test"
    assert reading.provenance["licence"] == "CC0-1.0"
    assert str(repository) not in json.dumps([one.name for one in found])
    (repository / "lean" / "test.jsonl").write_text('{"nl": "x", "formal": "y"}\n')
    assert hub.read(spec).provenance["revision"] != reading.provenance["revision"]


def test_equal_rows_get_names_of_their_own(repository):
    (repository / "lean" / "train.jsonl").write_text('{"nl": "x", "formal": "y"}\n' * 2)
    found = list(hub.read({"path": str(repository), "name": "lean", "text": "nl"}).documents)
    assert len({one.name for one in found}) == 2


def test_a_configuration_that_is_not_there_is_named(repository):
    with pytest.raises(UserError, match="'coq' not found"):
        list(hub.read({"path": str(repository), "name": "coq", "text": "nl"}).documents)


def test_a_data_set_that_is_a_program_is_not_run(tmp_path):
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "made.py").write_text("raise SystemExit('this must not run')\n")
    (folder / "train.jsonl").write_text('{"text": "x"}\n')
    with pytest.raises(
        UserError, match=r"never run; read the Hub's own copy of it .`revision: refs/convert/parquet`"
    ):
        list(hub.read({"path": str(folder)}).documents)
