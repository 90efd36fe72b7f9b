"""Local runs drop Snakemake's default limit of jobs per second; clusters and own limits keep it."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from snakemake.cli import get_argument_parser
from snakemake.settings.types import MaxJobsPerTimespan, SchedulingSettings

from workflow_scripts.plan.idle_scheduler import sleep_between_local_jobs


def limit_during_execution(limit, is_local):
    seen = []
    workflow = SimpleNamespace(
        scheduling_settings=SchedulingSettings(max_jobs_per_timespan=limit),
        execute=lambda **given: seen.append(workflow.scheduling_settings.max_jobs_per_timespan),
    )
    sleep_between_local_jobs(workflow)
    plugin = SimpleNamespace(common_settings=SimpleNamespace(local_exec=is_local))
    workflow.execute(executor_plugin=plugin, updated_files=[])
    return seen


@pytest.fixture
def default():
    """The limit of a run without the option."""
    return get_argument_parser().parse_args([]).max_jobs_per_timespan


def test_the_default_limit_is_dropped_for_processes_of_this_machine(default):
    assert limit_during_execution(default, is_local=True) == [None]
    assert limit_during_execution(None, is_local=True) == [None]


def test_a_cluster_and_a_run_with_a_limit_of_its_own_keep_it(default):
    own = MaxJobsPerTimespan.parse_choice("5/1m")
    assert limit_during_execution(default, is_local=False) == [default]
    assert limit_during_execution(own, is_local=True) == [own]


SNAKEFILE = """
from workflow_scripts.plan.idle_scheduler import sleep_between_local_jobs
from snakemake.scheduling.job_scheduler import JobScheduler

sleep_between_local_jobs(workflow)
timers = []
JobScheduler._schedule_reevalutation = lambda scheduler, delay: timers.append(delay)

rule all:
    output: "a"
    shell: "touch a"

onsuccess:
    print("timers:", len(timers))
"""


@pytest.mark.parametrize(
    ("given", "timers"), [((), "timers: 0"), (("--max-jobs-per-timespan", "9/1s"), "timers: 1")]
)
def test_snakemake_then_starts_no_timer(root, tmp_path, given, timers):
    (tmp_path / "Snakefile").write_text(f"import sys; sys.path.insert(0, {str(root)!r})\n{SNAKEFILE}")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", *given],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert timers in done.stdout + done.stderr
