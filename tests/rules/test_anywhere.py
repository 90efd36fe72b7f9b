"""The workflow used from elsewhere: its checkout has a space and an accent in its path, no environment is active."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import snakemake as snakemake_package

from workflow_scripts.plan.code_hash import code_hash, text_hash

QUICK = {"build_corpus": 6, "train_models": 5, "embed_batches": 2, "compare_sets": 2, "render_report": 1}

MODULE = """
configfile: "config/config.yaml"

module plumbline:
    snakefile: {snakefile}
    config: {config}

use rule * from plumbline{renamed}
"""


@pytest.fixture(scope="module")
def checkout(root, make_copy) -> Path:
    return make_copy("a copy é").folder


def run(*command, folder, path="/usr/bin:/bin") -> str:
    """What a command prints, run in a folder without any environment."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": path, "HOME": str(Path.home()), "LANG": "C.UTF-8"},
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-5000:]
    return output


def planned_jobs(output) -> dict[str, int]:
    table = output.split("Job stats:")[1].split("total")[0]
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, flags=re.MULTILINE)}


def snakemake(*arguments, python=sys.executable):
    return (python, "-m", "snakemake", "--cores", "1", *arguments)


def dry_run(*arguments, python=sys.executable):
    return snakemake(*arguments, "--dry-run", "--quiet", "rules", python=python)


def host_workflow(folder, snakefile, config_text, config="config", renamed="") -> None:
    """A workflow that uses this one as a module, laid out as snakedeploy does it."""
    for name, text in (
        ("workflow/Snakefile", MODULE.format(snakefile=snakefile, config=config, renamed=renamed)),
        ("config/config.yaml", config_text),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_another_working_directory(checkout, tmp_path):
    config = checkout / "configs" / "quick.yaml"
    output = run(
        *dry_run("--snakefile", checkout / "Snakefile", "report", "--configfile", config), folder=tmp_path
    )
    assert QUICK.items() <= planned_jobs(output).items()


def test_the_option_directory_and_relative_paths(checkout, tmp_path):
    where = ("--snakefile", "Snakefile", "--directory", tmp_path, "--configfile", "configs/quick.yaml")
    output = run(*dry_run("report", *where), folder=checkout)
    assert QUICK.items() <= planned_jobs(output).items()
    assert not (checkout / ".snakemake").exists()


def test_a_module_of_another_workflow_with_a_config_of_its_own(checkout, tmp_path):
    """One job is run, too: it reads a table that comes with the workflow."""
    config = "plumbline: {run: mine, alignment: {metrics: [unigram_js]}, resources: {build_corpus: {local: true}}}\n"
    snakefile = repr(str(checkout / "Snakefile"))
    host_workflow(tmp_path, snakefile, config, config='config["plumbline"]', renamed=" as plumbline_*")
    output = run(*dry_run("plumbline_report"), folder=tmp_path)
    assert planned_jobs(output)["plumbline_compare_sets"] == 1  # the default run's other keys are below
    assert "localrules directive specifies rules that are not" not in output
    assert "finetuning_af" in run(*snakemake("plumbline_published"), folder=tmp_path)
    assert (tmp_path / "results" / "mine" / "analysis" / "published.parquet").is_file()


def test_a_deployed_workflow(checkout, tmp_path):
    """A Snakefile that takes all rules of this one, with a copy of a config."""
    config = (checkout / "configs" / "quick.yaml").read_text()
    host_workflow(tmp_path, repr(str(checkout / "Snakefile")), config)
    jobs = planned_jobs(run(*dry_run(), folder=tmp_path))
    assert QUICK.items() <= jobs.items()
    assert jobs["all"] == 1


def test_a_mistake_in_the_config_of_a_module_is_one_line(checkout, tmp_path):
    host_workflow(tmp_path, repr(str(checkout / "Snakefile")), "runn: mine\n")
    with pytest.raises(AssertionError, match="config: runn: unknown key; did you mean run"):
        run(*dry_run(), folder=tmp_path)


def test_a_checkout_in_the_working_directory_is_not_run_in_place_of_this_one(checkout, make_copy):
    other = make_copy("another").folder
    with pytest.raises(AssertionError, match="has another copy of Plumbline's programs"):
        run(*dry_run("--snakefile", checkout / "Snakefile", "report"), folder=other)


@pytest.fixture(scope="module")
def source(make_copy) -> Path:
    """A repository of this version alone."""
    folder = make_copy("source").folder
    git = ("git", "-c", "user.name=test", "-c", "user.email=test@localhost")
    for command in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", "All")):
        run(*git, *command, folder=folder)
    return folder


@pytest.fixture(scope="module")
def installed(source, tmp_path_factory) -> Path:
    """The programs of an environment in which a wheel is installed; what it depends on is that of this environment."""
    folder = tmp_path_factory.mktemp("installed é")
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    run(
        *pip,
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        folder / "wheels",
        ".",
        folder=source,
    )
    run(sys.executable, "-m", "venv", "--without-pip", folder / "env", folder=folder)
    (packages,) = (folder / "env").glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(str(Path(snakemake_package.__file__).parents[1]))
    (wheel,) = (folder / "wheels").glob("*.whl")
    run(
        *pip,
        "--python",
        folder / "env/bin/python",
        "install",
        "--no-deps",
        "--no-index",
        wheel,
        folder=folder,
    )
    return folder / "env" / "bin"


def test_an_installed_wheel(installed, tmp_path):
    where = Path(run(installed / "plumbline", "where", folder=tmp_path).strip())
    assert where.is_relative_to(installed.parent)
    quick = ("--configfile", where / "configs" / "quick.yaml")
    output = run(
        installed / "plumbline", "run", "report", *quick, "--dry-run", "--quiet", "rules", folder=tmp_path
    )
    assert QUICK.items() <= planned_jobs(output).items()
    assert "finetuning_af" in run(installed / "plumbline", "run", "published", *quick, folder=tmp_path)
    assert (tmp_path / "results" / "quick" / "analysis" / "published.parquet").is_file()


def test_a_wheel_has_all_files_of_the_workflow(installed, source, tmp_path):
    where = Path(run(installed / "plumbline", "where", folder=tmp_path).strip())
    for folder in ("configs", "published", "rules", "schemas"):
        files = {path.relative_to(source) for path in (source / folder).rglob("*") if path.is_file()}
        assert files == {path.relative_to(where) for path in (where / folder).rglob("*") if path.is_file()}


def test_an_installed_wheel_continues_the_run_of_a_checkout(installed, tmp_path):
    """Its code has the same fingerprints."""
    command = "from workflow_scripts.plan.code_hash import code_hash, text_hash; print(code_hash({}), text_hash({}))"
    hashed = '"workflow_scripts.render_report"', '"workflow_scripts/report", "*.j2", "*.css", "*.js"'
    printed = run(installed / "python", "-c", command.format(*hashed), folder=tmp_path)
    expected = (
        code_hash("workflow_scripts.render_report"),
        text_hash("workflow_scripts/report", "*.j2", "*.css", "*.js"),
    )
    assert tuple(printed.split()) == expected


def test_a_deployed_workflow_whose_snakefile_comes_from_a_repository(installed, source, tmp_path):
    """Snakemake gets the Snakefile from there, and all else is that of the installed package."""
    snakefile = f'gitfile({str(source)!r}, path="Snakefile", ref="HEAD")'
    host_workflow(tmp_path, snakefile, (source / "configs" / "quick.yaml").read_text())
    output = run(*dry_run(python=installed / "python"), folder=tmp_path)
    assert QUICK.items() <= planned_jobs(output).items()


def test_the_workflow_catalog_finds_it(root):
    """Its conditions for a workflow that is not laid out in its own standard way."""
    readme = (root / "README.md").read_text().lower()
    assert "snakemake" in readme and "workflow" in readme
    assert (root / "Snakefile").is_file()
    assert list((root / "rules").glob("*.smk"))
    assert not (root / "workflow").exists()  # it would look for the Snakefile and the rules there
