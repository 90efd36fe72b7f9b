"""Analysis: one table per question, from alignments and losses.

in:  alignment/*.parquet, losses/loss_summary.parquet
out: analysis/*.parquet
"""


rule analysis:
    """Target: every table that the page uses."""
    input:
        list(plan.analysis.tables.values()),
        list(plan.analysis.switch_tables.values()),
        list(plan.alignment.probe_tables.values()),
        list(plan.alignment.curve_tables.values()),


rule correlate_losses:
    """Alignment against loss: every experiment, budget, metric and scope, with tests and intervals."""
    input:
        alignment="<results>/alignment/alignment.parquet",
        mixtures=plan.outside.alignments,
        covariates=plan.alignment.covariates,
        losses="<results>/losses/loss_summary.parquet",
    output:
        correlation="<results>/analysis/correlation.parquet",
        points="<results>/analysis/points.parquet",
        differences="<results>/analysis/metric_differences.parquet",
        leave_one_out="<results>/analysis/leave_one_out.parquet",
    log:
        "<results>/logs/correlate_losses.log",
    benchmark:
        "<results>/benchmarks/correlate_losses.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("correlate_losses")
    resources:
        **ask.all("correlate_losses"),
    params:
        experiments=plan.analysis.experiments_json,
        covariates=lambda w, input: ["--covariates", *input.covariates] if input.covariates else [],
        given=[word for metric in plan.alignment.baselines for word in ("--given", metric)],
        permutations=plan.config["statistics"]["permutations"],
        bootstraps=plan.config["statistics"]["bootstraps"],
        seed=plan.config["seed"],
        threads=ask.threads("correlate_losses"),
        code=code_hash("workflow_scripts.correlate_losses"),
    shell:
        "python -m workflow_scripts.correlate_losses"
        " --alignment {input.alignment:q}"
        " --mixtures {input.mixtures:q}"
        " {params.covariates:q}"
        " --losses {input.losses:q}"
        " --experiments {params.experiments:q}"
        " {params.given:q}"
        " --permutations {params.permutations}"
        " --bootstraps {params.bootstraps}"
        " --seed {params.seed}"
        " --threads {params.threads}"
        " --output {output.correlation:q}"
        " --points {output.points:q}"
        " --differences {output.differences:q}"
        " --leave-one-out {output.leave_one_out:q}"
        " 2> {log:q}"


rule compare_probes:
    """The same correlations and choices with every probe: how much results depend on the probe."""
    input:
        alignment="<results>/alignment/alignment.parquet",
        others=[path for _, path in plan.alignment.by_other_probes],
        mixtures=plan.outside.alignments,
        other_mixtures=[path for _, path in plan.alignment.mixtures_by_other_probes],
        losses="<results>/losses/loss_summary.parquet",
    output:
        "<results>/analysis/probe_spread.parquet",
    log:
        "<results>/logs/compare_probes.log",
    benchmark:
        "<results>/benchmarks/compare_probes.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("compare_probes")
    resources:
        **ask.all("compare_probes"),
    params:
        experiments=plan.analysis.experiments_json,
        first=plan.probe.first,
        others=lambda w, input: options(
            "--of-probe", [probe for probe, _ in plan.alignment.by_other_probes], input.others
        ),
        other_mixtures=lambda w, input: options(
            "--mixtures-of-probe",
            [probe for probe, _ in plan.alignment.mixtures_by_other_probes],
            input.other_mixtures,
        ),
        threads=ask.threads("compare_probes"),
        code=code_hash("workflow_scripts.compare_probes"),
    shell:
        "python -m workflow_scripts.compare_probes"
        " --alignment {input.alignment:q}"
        " --mixtures {input.mixtures:q}"
        " --first {params.first:q}"
        " {params.others:q}"
        " {params.other_mixtures:q}"
        " --losses {input.losses:q}"
        " --experiments {params.experiments:q}"
        " --threads {params.threads}"
        " --output {output:q}"
        " 2> {log:q}"


rule weigh_rows:
    """How well each metric predicts loss and chooses data at every number of rows, and its cost."""
    input:
        alignment=plan.alignment.curves(),
        cost=plan.alignment.curves(".cost"),
        losses="<results>/losses/loss_summary.parquet",
    output:
        curve="<results>/analysis/rows_curve.parquet",
        cost="<results>/analysis/rows_curve_cost.parquet",
    log:
        "<results>/logs/weigh_rows.log",
    benchmark:
        "<results>/benchmarks/weigh_rows.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("weigh_rows")
    resources:
        **ask.all("weigh_rows"),
    params:
        experiments=plan.analysis.experiments_json,
        threads=ask.threads("weigh_rows"),
        code=code_hash("workflow_scripts.weigh_rows"),
    shell:
        "python -m workflow_scripts.weigh_rows"
        " --alignment {input.alignment:q}"
        " --cost {input.cost:q}"
        " --losses {input.losses:q}"
        " --experiments {params.experiments:q}"
        " --threads {params.threads}"
        " --output {output.curve:q}"
        " --cost-output {output.cost:q}"
        " 2> {log:q}"


rule choose_data:
    """Each metric's choice of training data compared with the best one, and its cost."""
    input:
        alignment="<results>/alignment/alignment.parquet",
        mixtures=plan.outside.alignments,
        cost="<results>/alignment/alignment_cost.parquet",
        losses="<results>/losses/loss_summary.parquet",
        times=plan.training.times,
    output:
        choice="<results>/analysis/choice.parquet",
        cost="<results>/analysis/choice_cost.parquet",
    log:
        "<results>/logs/choose_data.log",
    benchmark:
        "<results>/benchmarks/choose_data.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("choose_data")
    resources:
        **ask.all("choose_data"),
    params:
        experiments=plan.analysis.experiments_json,
        times=lambda w, input: options(
            "--times", [folder_names(path, 2) for path in input.times], input.times
        ),
        threads=ask.threads("choose_data"),
        code=code_hash("workflow_scripts.choose_data"),
    shell:
        "python -m workflow_scripts.choose_data"
        " --alignment {input.alignment:q}"
        " --mixtures {input.mixtures:q}"
        " --alignment-cost {input.cost:q}"
        " --losses {input.losses:q}"
        " --experiments {params.experiments:q}"
        " {params.times:q}"
        " --threads {params.threads}"
        " --output {output.choice:q}"
        " --cost-output {output.cost:q}"
        " 2> {log:q}"


rule predict_losses:
    """Losses predicted from alignment with training sets, families and evaluation sets left out."""
    input:
        alignment="<results>/alignment/alignment.parquet",
        losses="<results>/losses/loss_summary.parquet",
    output:
        "<results>/analysis/predictions.parquet",
    log:
        "<results>/logs/predict_losses.log",
    benchmark:
        "<results>/benchmarks/predict_losses.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("predict_losses")
    resources:
        **ask.all("predict_losses"),
    params:
        experiments=plan.analysis.experiments_json,
        beside=[word for metric in plan.alignment.cheap for word in ("--beside", metric)],
        threads=ask.threads("predict_losses"),
        code=code_hash("workflow_scripts.predict_losses"),
    shell:
        "python -m workflow_scripts.predict_losses"
        " --alignment {input.alignment:q}"
        " --losses {input.losses:q}"
        " --experiments {params.experiments:q}"
        " {params.beside:q}"
        " --threads {params.threads}"
        " --output {output:q}"
        " 2> {log:q}"


rule measure_exchange_rate:
    """Alignment or size: how many more tokens a smaller share of the target needs for the same loss."""
    input:
        losses="<results>/losses/loss_summary.parquet",
    output:
        "<results>/analysis/exchange_rate.parquet",
    log:
        "<results>/logs/measure_exchange_rate.log",
    benchmark:
        "<results>/benchmarks/measure_exchange_rate.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("measure_exchange_rate")
    resources:
        **ask.all("measure_exchange_rate"),
    params:
        experiments=plan.analysis.experiments_json,
        threads=ask.threads("measure_exchange_rate"),
        code=code_hash("workflow_scripts.measure_exchange_rate"),
    shell:
        "python -m workflow_scripts.measure_exchange_rate"
        " --losses {input.losses:q}"
        " --experiments {params.experiments:q}"
        " --threads {params.threads}"
        " --output {output:q}"
        " 2> {log:q}"


rule collapse_losses:
    """The run's own losses under the law of effective tokens: one curve per target, tested on left-out sets."""
    input:
        alignment="<results>/alignment/alignment.parquet",
        losses="<results>/losses/loss_summary.parquet",
    output:
        fits="<results>/analysis/loss_collapse.parquet",
        curves="<results>/analysis/loss_collapse_curves.parquet",
        worth="<results>/analysis/loss_collapse_worth.parquet",
    log:
        "<results>/logs/collapse_losses.log",
    benchmark:
        "<results>/benchmarks/collapse_losses.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("collapse_losses")
    resources:
        **ask.all("collapse_losses"),
    params:
        experiments=plan.analysis.experiments_json,
        mixed_of=plan.analysis.mixed_of_json,
        threads=ask.threads("collapse_losses"),
        code=code_hash("workflow_scripts.collapse_losses"),
    shell:
        "python -m workflow_scripts.collapse_losses"
        " --alignment {input.alignment:q}"
        " --losses {input.losses:q}"
        " --experiments {params.experiments:q}"
        " --mixed-of {params.mixed_of:q}"
        " --threads {params.threads}"
        " --output {output.fits:q}"
        " --curves {output.curves:q}"
        " --worth {output.worth:q}"
        " 2> {log:q}"
