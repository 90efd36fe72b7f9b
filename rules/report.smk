"""The report: the forecast at a run's start, one self-contained page, and its figures as files.

in:  analysis/*.parquet, alignment/*.parquet, losses/loss_summary.parquet, losses/ngram_summary.parquet, the manifests
out: report/index.html, report/figures/, report/provenance.json
"""

import sys
from collections import Counter
from pathlib import Path

from workflow_scripts.plan.after_failure import command_for_what_exists, killed_jobs
from workflow_scripts.plan.forecast import forecast


rule report:
    """Target: the page."""
    input:
        "<results>/report/index.html",


rule describe_run:
    """What a reader needs to trust or repeat the run."""
    input:
        corpora=plan.files.present(
            f"{plan.root}/corpora/{name}/manifest.json" for name in plan.corpora.with_documents
        ),
        probes=plan.files.present(f"{plan.probe.folder_of(name)}/manifest.json" for name in plan.probes_used),
    output:
        "<results>/report/provenance.json",
    log:
        "<results>/logs/describe_run.log",
    benchmark:
        "<results>/benchmarks/describe_run.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("describe_run")
    resources:
        **ask.all("describe_run"),
    params:
        config=lambda w: plan.config_json,
        code=code_hash("workflow_scripts.describe_run"),
    shell:
        "python -m workflow_scripts.describe_run"
        " --corpora {input.corpora:q}"
        " --probes {input.probes:q}"
        " --output {output:q}"
        " 2> {log:q}"
        " <<< {params.config:q}"


rule render_report:
    """The page and its figures, made only from tables."""
    input:
        tables=plan.report_tables.values(),
        missing="<results>/losses/missing.json",
        provenance=rules.describe_run.output,
    output:
        page=report(
            "<results>/report/index.html",
            caption="report_captions/page.rst",
            category="Report",
            labels={"what": "the page"},
        ),
        figures=report(
            directory("<results>/report/figures"),
            patterns=["{figure}.svg"],
            caption="report_captions/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
    log:
        "<results>/logs/render_report.log",
    benchmark:
        "<results>/benchmarks/render_report.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("render_report")
    resources:
        **ask.all("render_report"),
    params:
        run=plan.config["run"],
        tables=options("--table", plan.report_tables, plan.report_tables.values()),
        code=code_hash("workflow_scripts.render_report"),
        templates=text_hash("workflow_scripts/report", "*.j2", "*.css", "*.js"),
    shell:
        "python -m workflow_scripts.render_report"
        " --run {params.run:q}"
        " {params.tables:q}"
        " --missing {input.missing:q}"
        " --provenance {input.provenance:q}"
        " --page {output.page:q}"
        " --figures {output.figures:q}"
        " 2> {log:q}"


if workflow.output_settings.dryrun and not plan.config["only_existing"]:
    print(forecast(plan, None, workflow.cores or 1), flush=True)


onstart:
    if not workflow.deployment_settings.deployment_method:  # jobs use the packages of this Python
        try:
            demand_extras(
                workflow.dag.needrun_jobs(), plan.config["alignment"]["encoder"], plan.config["recipes"]
            )
        except UserError as mistake:
            raise WorkflowError(str(mistake))
    jobs = Counter(job.rule.name for job in workflow.dag.needrun_jobs())
    at_once = workflow.cores if workflow.local_exec else workflow.nodes
    if not plan.config["only_existing"]:  # the sources of the text may have been deleted
        print(forecast(plan, jobs, at_once), flush=True)


onsuccess:
    if Path(plan.page).exists():
        print(f"report: {plan.page}")


onerror:
    explanation = killed_jobs(
        "".join(Path(file).read_text(encoding="utf-8", errors="replace") for file in log)
    )
    if explanation:
        print(explanation, flush=True)
    # Renders a partial report, which lists what is missing. Not after Ctrl-C: nothing failed.
    keeps_going = workflow.execution_settings.keep_going
    if keeps_going and workflow.scheduler.failed and not plan.config["only_existing"]:
        shell(command_for_what_exists(plan, workflow.main_snakefile, sys.argv[1:]))
