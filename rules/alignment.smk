"""Alignment: every metric between pairs of sets, with an interval and a scale.

in:  embeddings/<probe>/<estimator>/sets-<n>/ or tokens/<corpus>/<split>.packed.parquet
out: alignment/<metric>.parquet, alignment/alignment.parquet, alignment/alignment_cost.parquet,
     alignment/covariates.parquet, alignment/rows/<metric>.parquet; with more than one probe alignment/probes/<probe>/<metric>.parquet;
     with many sets alignment/blocks/<n>/<metric>.parquet
"""


rule alignment:
    """Target: the table of alignments, its cost, and the covariates."""
    input:
        "<results>/alignment/alignment.parquet",
        plan.alignment.covariates,


rule compare_sets:
    """One metric between all pairs of sets, and between answers. Pairs in the store are not computed again.

    A metric that depends on the probe is measured once more by every other probe, below probes/<probe>/. With many sets
    a job measures one block: the needed pairs of some sources, without their scale.
    """
    input:
        sets=lambda w: plan.alignment.inputs(
            w.metric, plan.alignment.compared(w.metric, w.block), plan.alignment.probe_of(w.of_probe)
        ),
        times=lambda w: plan.alignment.times(
            w.metric, plan.alignment.compared(w.metric, w.block), plan.alignment.probe_of(w.of_probe)
        ),
        probe=lambda w: plan.alignment.probe(w.metric, plan.alignment.probe_of(w.of_probe)),
        tokenizer=rules.make_tokenizer.output.tokenizer,
    output:
        table="<results>/alignment/{of_probe}{block}{metric}.parquet",
        cost="<results>/alignment/{of_probe}{block}{metric}.cost.parquet",
    log:
        "<results>/logs/compare_sets/{of_probe}{block}{metric}.log",
    benchmark:
        "<results>/benchmarks/compare_sets/{of_probe}{block}{metric}.tsv"
    wildcard_constraints:
        metric=one_of(plan.alignment.metrics),
        of_probe=plan.alignment.probe_folder,
        block=plan.alignment.block_folder,
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("compare_sets")
    resources:
        **ask.all("compare_sets", lambda w: plan.alignment.runs_model(w.metric)),
    params:
        sets=lambda w, input: plan.alignment.named(
            "--set", w.metric, plan.alignment.compared(w.metric, w.block), input.sets
        ),
        sources=lambda w: plan.alignment.sources(w.block),
        times=lambda w, input: plan.alignment.timed(
            w.metric, plan.alignment.compared(w.metric, w.block), input.times
        ),
        answers=lambda w: plan.alignment.answers(w.metric, plan.alignment.probe_of(w.of_probe), w.block),
        floor=lambda w: plan.alignment.named(
            "--floor",
            w.metric,
            [plan.sets.floor],
            plan.alignment.inputs(w.metric, [plan.sets.floor], plan.alignment.probe_of(w.of_probe)),
        ),
        model=lambda w: plan.alignment.model(w.metric, plan.alignment.probe_of(w.of_probe)),
        tokenizer=lambda w, input: folder_of(input.tokenizer),
        batches=lambda w: plan.alignment.batches(w.metric),
        encoder=lambda w: plan.alignment.encoder(w.metric),
        rows=lambda w: plan.alignment.rows(w.metric),
        fewer_rows=lambda w: plan.alignment.fewer_rows(w.metric),
        seed=plan.config["seed"],
        store=f"{plan.root}/store/metrics",
        device=ask.device("compare_sets"),
        threads=ask.threads("compare_sets"),
        code=lambda w: code_hash("workflow_scripts.compare_sets", f"workflow_scripts.metrics.{w.metric}"),
    shell:
        "python -m workflow_scripts.compare_sets"
        " --metric {wildcards.metric:q}"
        " {params.sets:q}"
        " {params.sources:q}"
        " {params.times:q}"
        " {params.answers:q}"
        " {params.floor:q}"
        " {params.model:q}"
        " --tokenizer {params.tokenizer:q}"
        " {params.encoder:q}"
        " --batches {params.batches}"
        " --rows-per-batch {params.rows}"
        " {params.fewer_rows}"
        " --seed {params.seed}"
        " --store {params.store:q}"
        " --device {params.device}"
        " --threads {params.threads}"
        " --output {output.table:q}"
        " --cost {output.cost:q}"
        " 2> {log:q}"


rule join_blocks:
    """The blocks of one metric in one table, with the scale; only with so many sets that there are blocks."""
    input:
        tables=lambda w: plan.alignment.of_blocks(w.metric, w.of_probe),
        costs=lambda w: plan.alignment.of_blocks(w.metric, w.of_probe, ".cost"),
    output:
        table="<results>/alignment/{of_probe}{metric}.parquet",
        cost="<results>/alignment/{of_probe}{metric}.cost.parquet",
    log:
        "<results>/logs/join_blocks/{of_probe}{metric}.log",
    benchmark:
        "<results>/benchmarks/join_blocks/{of_probe}{metric}.tsv"
    wildcard_constraints:
        metric=one_of(plan.alignment.joined),
        of_probe=plan.alignment.probe_folder,
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("join_blocks")
    resources:
        **ask.all("join_blocks"),
    params:
        floor=plan.sets.floor,
        code=lambda w: code_hash("workflow_scripts.join_blocks", f"workflow_scripts.metrics.{w.metric}"),
    shell:
        "python -m workflow_scripts.join_blocks"
        " --metric {wildcards.metric:q}"
        " --tables {input.tables:q}"
        " --costs {input.costs:q}"
        " --floor {params.floor:q}"
        " --output {output.table:q}"
        " --cost {output.cost:q}"
        " 2> {log:q}"


rule align_by_rows:
    """One metric between training and evaluation sets, from increasing numbers of rows."""
    input:
        sources=lambda w: plan.alignment.curve_inputs(w.metric, plan.sets.of_curve[0]),
        targets=lambda w: plan.alignment.curve_inputs(w.metric, plan.sets.of_curve[1]),
        times=lambda w: plan.alignment.curve_times(w.metric),
        probe=lambda w: plan.alignment.probe(w.metric),
        tokenizer=rules.make_tokenizer.output.tokenizer,
    output:
        table="<results>/alignment/rows/{metric}.parquet",
        cost="<results>/alignment/rows/{metric}.cost.parquet",
    log:
        "<results>/logs/align_by_rows/{metric}.log",
    benchmark:
        "<results>/benchmarks/align_by_rows/{metric}.tsv"
    wildcard_constraints:
        metric=one_of(plan.alignment.metrics),
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("align_by_rows")
    resources:
        **ask.all("align_by_rows", lambda w: plan.alignment.runs_model(w.metric)),
    params:
        sources=lambda w, input: plan.alignment.named(
            "--source", w.metric, plan.sets.of_curve[0], input.sources
        ),
        targets=lambda w, input: plan.alignment.named(
            "--target", w.metric, plan.sets.of_curve[1], input.targets
        ),
        times=lambda w, input: plan.alignment.timed(
            w.metric, [*plan.sets.of_curve[0], *plan.sets.of_curve[1]], input.times
        ),
        model=lambda w: plan.alignment.model(w.metric),
        tokenizer=lambda w, input: folder_of(input.tokenizer),
        encoder=lambda w: plan.alignment.encoder(w.metric),
        rows=plan.config["alignment"]["rows_curve"],
        seed=plan.config["seed"],
        store=f"{plan.root}/store/metrics",
        device=ask.device("align_by_rows"),
        threads=ask.threads("align_by_rows"),
        code=lambda w: code_hash("workflow_scripts.align_by_rows", f"workflow_scripts.metrics.{w.metric}"),
    shell:
        "python -m workflow_scripts.align_by_rows"
        " --metric {wildcards.metric:q}"
        " {params.sources:q}"
        " {params.targets:q}"
        " {params.times:q}"
        " {params.model:q}"
        " --tokenizer {params.tokenizer:q}"
        " {params.encoder:q}"
        " --rows {params.rows}"
        " --seed {params.seed}"
        " --store {params.store:q}"
        " --device {params.device}"
        " --threads {params.threads}"
        " --output {output.table:q}"
        " --cost {output.cost:q}"
        " 2> {log:q}"


rule measure_covariates:
    """Other differences of a training and an evaluation set: vocabulary, lengths, entropy, zero-shot loss."""
    input:
        sets=[plan.alignment.rows_of(name) for name in plan.sets.names],
        probe=plan.probe.weights,
    output:
        "<results>/alignment/covariates.parquet",
    log:
        "<results>/logs/measure_covariates.log",
    benchmark:
        "<results>/benchmarks/measure_covariates.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("measure_covariates")
    resources:
        **ask.all("measure_covariates"),
    params:
        sets=lambda w, input: options("--set", plan.sets.names, input.sets),
        model=lambda w, input: folder_of(input.probe),
        batches=plan.config["alignment"]["batches"],
        rows=plan.config["alignment"]["rows"],
        seed=plan.config["seed"],
        store=f"{plan.root}/store/metrics",
        device=ask.device("measure_covariates"),
        threads=ask.threads("measure_covariates"),
        code=code_hash("workflow_scripts.measure_covariates"),
    shell:
        "python -m workflow_scripts.measure_covariates"
        " {params.sets:q}"
        " --model {params.model:q}"
        " --batches {params.batches}"
        " --rows-per-batch {params.rows}"
        " --seed {params.seed}"
        " --store {params.store:q}"
        " --device {params.device}"
        " --threads {params.threads}"
        " --output {output:q}"
        " 2> {log:q}"


rule collect_alignment:
    """All metrics in one table."""
    input:
        tables=plan.alignment.tables(""),
        costs=plan.alignment.tables(".cost"),
    output:
        table="<results>/alignment/alignment.parquet",
        cost="<results>/alignment/alignment_cost.parquet",
    log:
        "<results>/logs/collect_alignment.log",
    benchmark:
        "<results>/benchmarks/collect_alignment.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("collect_alignment")
    resources:
        **ask.all("collect_alignment"),
    params:
        code=code_hash("workflow_scripts.collect_alignment"),
    shell:
        "python -m workflow_scripts.collect_alignment"
        " --metrics-files {input.tables:q}"
        " --costs {input.costs:q}"
        " --output {output.table:q}"
        " --cost-output {output.cost:q}"
        " 2> {log:q}"
