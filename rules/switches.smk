"""Switches: the effect of each defect of the released algorithm.

in:  tokens/, probe/, losses/loss_summary.parquet
out: analysis/switch_alignments.parquet, analysis/switches.parquet
"""


rule flip_switches:
    """Alignment with one defect of the released algorithm at a time corrected, or brought back."""
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
    """The effect of each switch on alignment, on the ranking of training sets and on the correlation with loss."""
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
