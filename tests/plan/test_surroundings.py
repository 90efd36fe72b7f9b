"""What a run takes from where it runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from snakemake.exceptions import WorkflowError

from workflow_scripts.errors import UserError
from workflow_scripts.plan import surroundings
from workflow_scripts.plan.schema import with_defaults
from workflow_scripts.plan.surroundings import (
    as_overlay,
    let_jobs_find_programs,
    over_default_run,
    prefix_in_conda,
)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A working directory without anything, and the search paths of a shell in which no environment is active."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", "/of/the/site")
    return tmp_path


def in_a_job(code: str, **environment: str) -> str:
    """What the `python` of a job prints."""
    done = subprocess.run(
        ["bash", "-c", 'python -c "$0"', code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_config_is_laid_over_the_default_run(config):
    laid_over = over_default_run(
        {"run": "mine", "corpora": {"licences": {"held_out": 0.5}}, "experiments": []}
    )
    assert laid_over["run"] == "mine"
    assert laid_over["experiments"] == []
    assert laid_over["corpora"]["licences"] == {**config["corpora"]["licences"], "held_out": 0.5}
    assert laid_over["alignment"] == config["alignment"]


def test_a_whole_config_laid_over_the_default_run_is_itself(config):
    """Also where a key of the default run has been taken away."""
    del (
        config["probe"]["model"]["type"],
        config["probe"]["model"]["settings"],
        config["corpora"]["licences"]["packages"],
    )
    config["probe"]["model"]["pretrained"] = "gpt2"
    config["corpora"]["licences"] |= {"source": "hub", "path": "somebody/texts"}
    del config["corpora"]["licences"]["kind"], config["corpora"]["licences"]["limit_bytes"]
    whole = with_defaults(config)
    assert with_defaults(over_default_run(as_overlay(whole))) == whole
    with pytest.raises(UserError):
        with_defaults(over_default_run(whole))


def test_jobs_run_the_python_of_snakemake_and_import_the_package(elsewhere):
    let_jobs_find_programs()
    assert in_a_job("import sys; print(sys.executable)") == sys.executable
    found = in_a_job("import workflow_scripts.command_line as found; print(found.__file__)")
    assert Path(found) == Path(surroundings.__file__).parents[1] / "command_line.py"


def test_jobs_import_nothing_else_of_the_checkout(elsewhere):
    let_jobs_find_programs()
    assert (
        in_a_job("import importlib.util as u; print(u.find_spec('tests'), u.find_spec('benchmarks'))")
        == "None None"
    )


def test_the_search_paths_of_the_user_stay_and_do_not_grow(elsewhere):
    let_jobs_find_programs()
    once = os.environ["PATH"], os.environ["PYTHONPATH"]
    assert once[0].endswith(":/usr/bin:/bin")
    assert once[1].endswith(":/of/the/site")
    let_jobs_find_programs()
    assert (os.environ["PATH"], os.environ["PYTHONPATH"]) == once


def test_an_active_environment_is_left_as_it_is(elsewhere, monkeypatch):
    path = os.pathsep.join(["/opt/tools", str(Path(sys.executable).parent), "/usr/bin"])
    monkeypatch.setenv("PATH", path)
    let_jobs_find_programs()
    assert os.environ["PATH"] == path


def test_other_programs_of_the_same_name_are_not_run(elsewhere):
    (elsewhere / "workflow_scripts").mkdir()
    (elsewhere / "workflow_scripts" / "__init__.py").touch()
    with pytest.raises(WorkflowError, match=f"{elsewhere} has another copy of Plumbline's programs"):
        let_jobs_find_programs()


def test_a_job_in_a_conda_environment_imports_the_package(elsewhere, monkeypatch):
    """Snakemake formats the prefix and takes PYTHONPATH out of the environment."""
    monkeypatch.setattr(surroundings, "IMPORTABLE", elsewhere / "a {folder} of 'mine'")
    package = elsewhere / "a {folder} of 'mine'" / "workflow_scripts"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("print('imported')")
    monkeypatch.delenv("PYTHONPATH")
    command = prefix_in_conda().format() + f"{sys.executable} -c 'import workflow_scripts'"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == "imported\n"
