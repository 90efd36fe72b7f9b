"""Losses that were measured elsewhere: checks their tables, and computes the alignment of their mixtures.

in:  tables that the config names, embeddings/ or tokens/ of the parts and targets
out: outside/<experiment>.losses.parquet, outside/<experiment>.shares.parquet, alignment/mixtures/<metric>.parquet,
     analysis/effective_tokens.parquet and five tables in the same folder
"""


rule import_losses:
    """Losses and mixtures of one experiment, checked and in one form."""
    input:
        losses=lambda w: plan.outside.user_tables(w.experiment)["losses"],
        mixtures=lambda w: plan.outside.user_tables(w.experiment)["mixtures"],
    output:
        losses="<results>/outside/{experiment}.losses.parquet",
        shares="<results>/outside/{experiment}.shares.parquet",
    log:
        "<results>/logs/import_losses/{experiment}.log",
    benchmark:
        "<results>/benchmarks/import_losses/{experiment}.tsv"
    wildcard_constraints:
        experiment=one_of(plan.outside.experiments),
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("import_losses")
    resources:
        **ask.all("import_losses"),
    params:
        model=lambda w: plan.outside.model(w.experiment),
        parts=lambda w: plan.outside.experiments[w.experiment]["parts"],
        eval_sets=lambda w: plan.outside.experiments[w.experiment]["eval_sets"],
        sizes=lambda w: sizes_of(plan.outside.files_read(w.experiment)),
        code=code_hash("workflow_scripts.import_losses"),
    shell:
        "python -m workflow_scripts.import_losses"
        " --losses {input.losses:q}"
        " --mixtures {input.mixtures:q}"
        " {params.model:q}"
        " --parts {params.parts:q}"
        " --eval-sets {params.eval_sets:q}"
        " --output {output.losses:q}"
        " --shares-output {output.shares:q}"
        " 2> {log:q}"


rule mix_alignment:
    """Alignment of every mixture with every target by one metric, from the features of the parts."""
    input:
        parts=lambda w: plan.alignment.inputs(
            w.metric, plan.outside.parts.values(), plan.alignment.probe_of(w.of_probe)
        ),
        targets=lambda w: plan.alignment.inputs(
            w.metric, plan.outside.targets.values(), plan.alignment.probe_of(w.of_probe)
        ),
        shares=plan.outside.shares,
        probe=lambda w: plan.alignment.probe(w.metric, plan.alignment.probe_of(w.of_probe)),
        tokenizer=rules.make_tokenizer.output.tokenizer,
        compared=lambda w: ancient(plan.alignment.before_mixtures(w.metric, w.of_probe)),
    output:
        "<results>/alignment/{of_probe}mixtures/{metric}.parquet",
    log:
        "<results>/logs/mix_alignment/{of_probe}{metric}.log",
    benchmark:
        "<results>/benchmarks/mix_alignment/{of_probe}{metric}.tsv"
    wildcard_constraints:
        metric=one_of(plan.alignment.metrics),
        of_probe=plan.alignment.probe_folder,
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("mix_alignment")
    resources:
        **ask.all("mix_alignment", lambda w: plan.alignment.runs_model(w.metric)),
    params:
        parts=lambda w, input: options(
            "--part",
            plan.outside.parts,
            plan.alignment.files_of(w.metric, plan.outside.parts.values(), input.parts),
        ),
        targets=lambda w, input: options(
            "--target",
            plan.outside.targets,
            plan.alignment.files_of(w.metric, plan.outside.targets.values(), input.targets),
        ),
        model=lambda w: plan.alignment.model(w.metric, plan.alignment.probe_of(w.of_probe)),
        tokenizer=lambda w, input: folder_of(input.tokenizer),
        encoder=lambda w: plan.alignment.encoder(w.metric),
        batches=lambda w: plan.alignment.batches(w.metric),
        rows=lambda w: plan.alignment.rows(w.metric),
        fewer_rows=lambda w: plan.alignment.fewer_rows(w.metric),
        seed=plan.config["seed"],
        store=f"{plan.root}/store/metrics",
        device=ask.device("mix_alignment"),
        threads=ask.threads("mix_alignment"),
        code=lambda w: code_hash("workflow_scripts.mix_alignment", f"workflow_scripts.metrics.{w.metric}"),
    shell:
        "python -m workflow_scripts.mix_alignment"
        " --metric {wildcards.metric:q}"
        " {params.parts:q}"
        " {params.targets:q}"
        " --mixtures {input.shares:q}"
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
        " --output {output:q}"
        " 2> {log:q}"


rule rank_mixtures:
    """How well effective tokens, the law and the baselines rank the mixtures of recorded experiments."""
    input:
        alignment="<results>/alignment/alignment.parquet",
        mixtures=plan.outside.alignments,
        losses=plan.outside.losses,
        shares=plan.outside.shares,
    output:
        ranking="<results>/analysis/effective_tokens.parquet",
        differences="<results>/analysis/effective_token_differences.parquet",
        worth="<results>/analysis/token_worth.parquet",
        laws="<results>/analysis/token_laws.parquet",
        points="<results>/analysis/effective_token_points.parquet",
        predicted="<results>/analysis/predicted_losses.parquet",
    log:
        "<results>/logs/rank_mixtures.log",
    benchmark:
        "<results>/benchmarks/rank_mixtures.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("rank_mixtures")
    resources:
        **ask.all("rank_mixtures"),
    params:
        experiments=plan.analysis.experiments_json,
        losses=lambda w, input: options("--losses", map(experiment_of, input.losses), input.losses),
        shares=lambda w, input: options("--shares", map(experiment_of, input.shares), input.shares),
        proxies=plan.config["effective_tokens"]["proxies"],
        draws=plan.config["effective_tokens"]["draws"],
        resamples=plan.config["effective_tokens"]["resamples"],
        seed=plan.config["seed"],
        threads=ask.threads("rank_mixtures"),
        code=code_hash("workflow_scripts.rank_mixtures"),
    shell:
        "python -m workflow_scripts.rank_mixtures"
        " --experiments {params.experiments:q}"
        " --alignment {input.alignment:q}"
        " --mixtures {input.mixtures:q}"
        " {params.losses:q}"
        " {params.shares:q}"
        " --proxies {params.proxies}"
        " --draws {params.draws}"
        " --resamples {params.resamples}"
        " --seed {params.seed}"
        " --threads {params.threads}"
        " --output {output.ranking:q}"
        " --differences {output.differences:q}"
        " --worth {output.worth:q}"
        " --laws {output.laws:q}"
        " --points {output.points:q}"
        " --predicted {output.predicted:q}"
        " 2> {log:q}"
