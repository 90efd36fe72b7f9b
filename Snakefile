"""Plumbline: does the alignment of training and evaluation data predict loss? One target per stage; see README."""

from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod
from snakemake.utils import min_version

from workflow_scripts.errors import UserError
from workflow_scripts.plan.cards import wait_for_cards_without_cores
from workflow_scripts.plan.checks import checked
from workflow_scripts.plan.code_hash import code_hash, text_hash
from workflow_scripts.plan.durable_records import flush_records
from workflow_scripts.plan.extras import demand_extras
from workflow_scripts.plan.idle_scheduler import sleep_between_local_jobs
from workflow_scripts.plan.resources import RuleResources
from workflow_scripts.plan.run_lock import take_run_before_execution
from workflow_scripts.plan.run_plan import RunPlan
from workflow_scripts.plan.sources import sizes_of
from workflow_scripts.plan.surroundings import (
    let_jobs_find_programs,
    over_default_run,
    prefix_in_conda,
    set_hub_cache,
)
from workflow_scripts.plan.shell_options import experiment_of, folder_names, folder_of, one_of, options
from workflow_scripts.workflow_files import ROOT, workflow_file

min_version("9.20")


try:
    plan = RunPlan(checked(over_default_run(config)))
    ask = RuleResources(
        plan.config["resources"], plan.config["directories"]["scratch"], plan.config["device"]
    )
except UserError as mistake:
    raise WorkflowError(f"config: {mistake}")

take_run_before_execution(workflow, plan.root, Path(".snakemake/locks").absolute())
sleep_between_local_jobs(workflow)
wait_for_cards_without_cores(workflow)
flush_records()

# Each job reads the Snakefile again where it runs, so these settings also apply to its programs.
set_hub_cache(plan.config["directories"]["hub_cache"])
let_jobs_find_programs()
if DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method:
    shell.prefix(prefix_in_conda())
workflow.localrules(*map(workflow.modifier.modify_rulename, ask.local_rules))


resource_scopes:
    card="local",
    gpu="local",
    turn="local",


container: plan.config["container"]


pathvars:
    results=plan.root,


wildcard_constraints:
    corpus="[a-z0-9_]+",
    train_set="[a-z0-9_]+",
    eval_set="[a-z0-9_]+",
    recipe="[a-z0-9_]+",
    split="train|eval",
    layout="packed|documents",


# By their full path: Snakemake cannot follow a relative one from a Snakefile at the top of a hosted repository.
include: ROOT / "rules/corpora.smk"
include: ROOT / "rules/tokens.smk"
include: ROOT / "rules/probe.smk"
include: ROOT / "rules/fisher.smk"
include: ROOT / "rules/alignment.smk"
include: ROOT / "rules/training.smk"
include: ROOT / "rules/outside.smk"
include: ROOT / "rules/analysis.smk"
include: ROOT / "rules/switches.smk"
include: ROOT / "rules/published.smk"
include: ROOT / "rules/choosing.smk"
include: ROOT / "rules/report.smk"


rule all:
    default_target: True
    input:
        rules.report.input if plan.config["experiments"] else [],
        rules.answers.input,
