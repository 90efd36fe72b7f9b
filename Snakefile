"""Plumbline: does the alignment of training and evaluation data predict loss? One target per stage; see README."""

import sys
from collections import Counter
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from workflow_scripts.command_line import UserError
from workflow_scripts.plan.checks import checked
from workflow_scripts.plan.code_hash import code_hash, text_hash
from workflow_scripts.plan.forecast import forecast
from workflow_scripts.plan.resources import RuleResources
from workflow_scripts.plan.run_plan import RunPlan
from workflow_scripts.plan.words import folder_names, folder_of, one_of, options

min_version("9.20")


configfile: "config.yaml"


try:
    plan = RunPlan(checked(config))
    ask = RuleResources(plan.config["resources"], plan.config["directories"]["scratch"])
except UserError as mistake:
    raise WorkflowError(f"config: {mistake}")

# Jobs read the Snakefile again where they run, so what is set here is set for their programs.
plan.set_hub_cache()
workflow.localrules(*ask.local_rules)


resource_scopes:
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


include: "rules/corpora.smk"
include: "rules/tokens.smk"
include: "rules/probe.smk"
include: "rules/fisher.smk"
include: "rules/alignment.smk"
include: "rules/training.smk"
include: "rules/analysis.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        rules.report.input,


if workflow.output_settings.dryrun:
    print(forecast(plan, None, workflow.cores or 1), flush=True)


onstart:
    jobs = Counter(job.rule.name for job in workflow.dag.needrun_jobs())
    at_once = workflow.cores if workflow.local_exec else workflow.nodes
    print(forecast(plan, jobs, at_once), flush=True)


onsuccess:
    if Path(plan.page).exists():
        print(f"report: {plan.page}")


onerror:
    # What can be said without the failed jobs is said: the page lists what is missing. Not after Ctrl-C: nothing failed.
    keeps_going = workflow.execution_settings.keep_going
    if keeps_going and workflow.scheduler.failed and not plan.config["only_existing"]:
        shell(plan.command_for_what_exists(sys.argv[1:]))
