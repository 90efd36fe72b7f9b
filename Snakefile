"""Plumbline: does the alignment of training and evaluation data predict loss? One target per stage; see README."""

from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from workflow_scripts.command_line import UserError
from workflow_scripts.plan.checks import checked
from workflow_scripts.plan.code_hash import code_hash
from workflow_scripts.plan.resources import of_rule
from workflow_scripts.plan.run_plan import RunPlan, options

min_version("9.20")


configfile: "config.yaml"


try:
    plan = RunPlan(checked(config))
except UserError as mistake:
    raise WorkflowError(f"config: {mistake}")


pathvars:
    results=plan.root,


wildcard_constraints:
    corpus="[a-z0-9_]+",
    train_set="[a-z0-9_]+",
    eval_set="[a-z0-9_]+",
    recipe="[a-z0-9_]+",
    split="train|eval",
    layout="packed|documents",


include: "rules/common.smk"
include: "rules/corpora.smk"
include: "rules/tokens.smk"
include: "rules/probe.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        rules.corpora.input,


onerror:
    # What can be said without the failed jobs is said: the page lists what is missing.
    if workflow.execution_settings.keep_going and not plan.config["only_existing"]:
        pass
