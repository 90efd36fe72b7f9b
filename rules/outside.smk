"""Losses that were measured elsewhere: tables checked, and the alignment of their mixtures from that of the parts.

in:  tables that the config names, embeddings/ or tokens/ of the parts and targets
out: losses/outside/<experiment>.parquet, losses/outside/<experiment>.shares.parquet, alignment/mixtures/<metric>.parquet
"""


rule import_losses:
    """Losses and mixtures of one experiment, checked and in one form."""
    input:
        losses=lambda w: plan.recorded_files(w.experiment)["losses"],
        mixtures=lambda w: plan.recorded_files(w.experiment)["mixtures"],
    output:
        losses="<results>/losses/outside/{experiment}.parquet",
        shares="<results>/losses/outside/{experiment}.shares.parquet",
    log:
        "<results>/logs/import_losses/{experiment}.log",
    benchmark:
        "<results>/benchmarks/import_losses/{experiment}.tsv"
    wildcard_constraints:
        experiment=one_of(plan.recorded),
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("import_losses")
    resources:
        **ask.all("import_losses"),
    params:
        model=lambda w: plan.recorded_model(w.experiment),
        parts=lambda w: plan.recorded[w.experiment]["parts"],
        eval_sets=lambda w: plan.recorded[w.experiment]["eval_sets"],
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
