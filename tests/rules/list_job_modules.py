"""Print, as JSON, each job of a dry run with the modules that its fingerprint covers.

Usage: list_job_modules.py TARGET,... CONFIG_FILE... A process of its own, because Snakemake configures logging and the
Snakefile the environment of the process that reads it.
"""

import json
import sys
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    OutputSettings,
    Quietness,
    ResourceSettings,
)

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from workflow_scripts.plan import code_hash  # noqa: E402


def covered_modules(*modules, packages=()):
    """In place of the fingerprint: the names of the modules that would be hashed."""
    return " ".join(sorted(set().union(*map(code_hash._closure, modules))))


code_hash.code_hash = covered_modules
targets, *config_files = sys.argv[1:]
with SnakemakeApi(OutputSettings(dryrun=True, quiet={Quietness.ALL})) as api:
    workflow = api.workflow(
        resource_settings=ResourceSettings(cores=1),
        config_settings=ConfigSettings(configfiles=[Path(name) for name in config_files]),
        snakefile=ROOT / "Snakefile",
    )
    workflow.dag(DAGSettings(targets=set(targets.split(",")))).execute_workflow(executor="dryrun")
    jobs = [
        {"rule": job.rule.name, "wildcards": dict(job.wildcards), "modules": job.params.code.split()}
        for job in workflow._workflow.dag.jobs
        if "code" in job.params.keys()  # noqa: SIM118, a named list holds values
    ]
print("\n" + json.dumps(jobs))
