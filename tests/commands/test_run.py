import subprocess

import pytest

from workflow_scripts.commands import run
from workflow_scripts.commands.options import Shared
from workflow_scripts.commands.run import prepared_folder, run_workflow
from workflow_scripts.errors import UserError


class Finished:
    """A Snakemake that printed some lines and ended."""

    def __init__(self, lines, code):
        self.stdout, self.code = iter(lines), code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def wait(self):
        return self.code


@pytest.fixture
def ended(monkeypatch):
    calls = []

    def prepare(lines, code):
        def start(call, **_):
            calls.append(call)
            return Finished(lines, code)

        monkeypatch.setattr(subprocess, "Popen", start)
        return calls

    return prepare


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    assert prepared_folder(tmp_path / "new") == tmp_path / "new"
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UserError, match="has other files"):
        prepared_folder(tmp_path)
    (tmp_path / "config.yaml").write_text("run: mine\n")
    with pytest.raises(UserError, match="has other files"):
        prepared_folder(tmp_path)
    with pytest.raises(UserError, match="is a file"):
        prepared_folder(tmp_path / "thesis.tex")


def test_its_own_folder_is_taken_again(tmp_path, ended):
    ended([], 0)
    run_workflow("rank", {"run": "work"}, Shared(tmp_path / "o", None, 1, 0, None, []))
    assert prepared_folder(tmp_path / "o") == tmp_path / "o"


def test_what_is_told_to_snakemake(tmp_path, ended):
    calls = ended([], 0)
    run_workflow(
        "rank",
        {"run": "work"},
        Shared(tmp_path / "o", None, 3, 0, None, ["--workflow-profile", "profiles/slurm"]),
    )
    (call,) = calls
    assert call[3] == "answers"
    assert call[call.index("--cores") + 1] == "3"
    assert call[call.index("--directory") + 1] == str(tmp_path / "o")
    assert call[-2:] == ["--workflow-profile", "profiles/slurm"]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["noise\n", "  error: a.jsonl line 3 is not JSON (x)\n"], "a.jsonl line 3 is not JSON (x)"),
        (["WorkflowError in file S:\n", "config: seed = x: must be of type integer\n"], "seed = x: must be"),
        (["what?\n"], "the run failed; "),
    ],
)
def test_a_failure_is_the_sentence_of_what_failed(tmp_path, ended, lines, says):
    ended(lines, 1)
    with pytest.raises(UserError) as mistake:
        run_workflow("rank", {}, Shared(tmp_path / "o", None, 1, 0, None, []))
    assert str(mistake.value).startswith(says)
    assert (tmp_path / "o" / run.LOG).read_text() == "".join(lines)


def test_the_forecast_is_passed_on(tmp_path, ended, capsys):
    ended(["  time       about 40 s on 2 cores\n", "3 of 9 steps (33%) done\n"], 0)
    run_workflow("rank", {}, Shared(tmp_path / "o", None, 1, 0, None, []))
    assert "this takes about 40 s on 2 cores" in capsys.readouterr().err
