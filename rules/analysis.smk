"""Analysis: one table per question, from alignments and losses; and the same questions to the published numbers.

in:  alignment/*.parquet, losses/loss_summary.parquet, published/*.csv
out: analysis/*.parquet
"""


rule analysis:
    """Target: every table that the page draws from."""
    input:
        list(plan.analysis.tables.values()),
        list(plan.analysis.switch_tables.values()),


rule correlate_losses:
    """Alignment against loss: every experiment, budget, metric and scope, with tests and intervals."""
    input:
        alignment="<results>/alignment/alignment.parquet",
        mixtures=plan.outside.alignments,
        covariates="<results>/alignment/covariates.parquet",
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
        " --covariates {input.covariates:q}"
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


rule choose_data:
    """Each metric's choice of training data against the best one, and what it costs."""
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
    """Our own runs under the law of effective tokens: one curve per target, and sets that it was not fitted to."""
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


rule flip_switches:
    """Alignment with each defect of the released algorithm corrected alone, and brought back alone."""
    input:
        packed=plan.analysis.switch_rows("packed"),
        documents=plan.analysis.switch_rows("documents"),
        tokenizer=rules.make_tokenizer.output.tokenizer,
        probe=plan.probe.weights,
    output:
        alignments="<results>/analysis/switch_alignments.parquet",
        times="<results>/times/flip_switches.json",
    log:
        "<results>/logs/flip_switches.log",
    benchmark:
        "<results>/benchmarks/flip_switches.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("flip_switches")
    resources:
        **ask.all("flip_switches"),
    params:
        packed=lambda w, input: options("--packed", plan.analysis.switch_sets, input.packed),
        documents=lambda w, input: options("--documents", plan.analysis.switch_sets, input.documents),
        model=lambda w, input: folder_of(input.probe),
        tokenizer=lambda w, input: folder_of(input.tokenizer),
        batches=lambda w: plan.config["switches"]["batches"],
        rows=lambda w: plan.config["switches"]["rows"],
        head_epochs=lambda w: plan.config["switches"]["head_epochs"],
        seed=plan.config["seed"],
        store=f"{plan.root}/store/embeddings",
        device=plan.config["device"],
        precision=plan.config["precision"],
        threads=ask.threads("flip_switches"),
        code=code_hash("workflow_scripts.flip_switches"),
    shell:
        "python -m workflow_scripts.flip_switches"
        " {params.packed:q}"
        " {params.documents:q}"
        " --model {params.model:q}"
        " --tokenizer {params.tokenizer:q}"
        " --batches {params.batches}"
        " --rows-per-batch {params.rows}"
        " --head-epochs {params.head_epochs}"
        " --seed {params.seed}"
        " --store {params.store:q}"
        " --device {params.device}"
        " --precision {params.precision}"
        " --threads {params.threads}"
        " --output {output.alignments:q}"
        " --times {output.times:q}"
        " 2> {log:q}"


rule weigh_switches:
    """What each switch moves: alignment, the ranking of training sets, the correlation with loss."""
    input:
        alignments=rules.flip_switches.output.alignments,
        losses="<results>/losses/loss_summary.parquet",
    output:
        "<results>/analysis/switches.parquet",
    log:
        "<results>/logs/weigh_switches.log",
    benchmark:
        "<results>/benchmarks/weigh_switches.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("weigh_switches")
    resources:
        **ask.all("weigh_switches"),
    params:
        experiment=lambda w: plan.config["switches"]["experiment"],
        threads=ask.threads("weigh_switches"),
        code=code_hash("workflow_scripts.weigh_switches"),
    shell:
        "python -m workflow_scripts.weigh_switches"
        " --alignments {input.alignments:q}"
        " --losses {input.losses:q}"
        " --experiment {params.experiment:q}"
        " --threads {params.threads}"
        " --output {output:q}"
        " 2> {log:q}"


rule published:
    """Target: print the re-analysis of the paper's own numbers."""
    input:
        "<results>/analysis/published.txt",
    log:
        "<results>/logs/published.log",
    localrule: True
    conda:
        "../envs/cpu.yaml"
    shell:
        "cat {input:q} 2> {log:q}"


rule one_sentence:
    """Target: print whether GPT-2 before fine-tuning has its published perplexity on one sentence alone."""
    input:
        "<results>/analysis/one_sentence.json",
    log:
        "<results>/logs/one_sentence.log",
    localrule: True
    conda:
        "../envs/cpu.yaml"
    shell:
        "cat {input:q} 2> {log:q}"


rule check_one_sentence:
    """The published sentence scored with GPT-2: its weights come from the Hub, or from the folder of the probe."""
    input:
        workflow_file("published/one_sentence.json"),
    output:
        "<results>/analysis/one_sentence.json",
    log:
        "<results>/logs/check_one_sentence.log",
    benchmark:
        "<results>/benchmarks/check_one_sentence.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("check_one_sentence")
    resources:
        **ask.all("check_one_sentence"),
    params:
        model=plan.probe.one_sentence_model,
        threads=ask.threads("check_one_sentence"),
        code=code_hash("workflow_scripts.check_one_sentence"),
    shell:
        "python -m workflow_scripts.check_one_sentence"
        " --expected {input:q}"
        " {params.model:q}"
        " --threads {params.threads}"
        " --output {output:q}"
        " 2> {log:q}"


rule analyse_published:
    """The published numbers through the same statistics as our own."""
    input:
        [
            workflow_file(f"published/{name}.csv")
            for name in ("pretraining", "finetuning_task2vec", "finetuning_gzip")
        ],
    output:
        table="<results>/analysis/published.parquet",
        points="<results>/analysis/published_points.parquet",
        text="<results>/analysis/published.txt",
    log:
        "<results>/logs/analyse_published.log",
    benchmark:
        "<results>/benchmarks/analyse_published.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("analyse_published")
    resources:
        **ask.all("analyse_published"),
    params:
        folder=lambda w, input: folder_of(input[0]),
        seed=plan.config["seed"],
        permutations=plan.config["statistics"]["permutations"],
        code=code_hash("workflow_scripts.analyse_published"),
    shell:
        "python -m workflow_scripts.analyse_published"
        " --folder {params.folder:q}"
        " --permutations {params.permutations}"
        " --seed {params.seed}"
        " --output {output.table:q}"
        " --points {output.points:q}"
        " > {output.text:q} 2> {log:q}"
