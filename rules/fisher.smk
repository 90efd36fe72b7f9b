"""Fisher embeddings: one table per probe, estimator and set; finished batches are kept in the store.

in:  tokens/<corpus>/<split>.<layout>.parquet, tokens/tokenizer/, probe/<probe>/
out: embeddings/<probe>/<estimator>/sets-<n>/<set>.parquet, and of the answers of pairs <set>.answer.parquet
"""


rule embeddings:
    """Target: every embedding that a metric of the run needs."""
    input:
        [path for probe in plan.probes_used for path in plan.fisher.embeddings(probe)],


rule embed_batches:
    """Embed the batches of some sets, one set after another: the probe is loaded once for all of them."""
    input:
        rows=lambda w: [
            plan.tokens.of_set(name, plan.fisher.settings(w.estimator)["layout"])
            for name in plan.fisher.jobs(w.estimator, w.curve)[w.job]
        ],
        tokenizer=rules.make_tokenizer.output.tokenizer,
        probe="<results>/probe/{probe}/model.safetensors",
    output:
        embeddings=directory("<results>/embeddings/{probe}/{estimator}/{curve}{job}"),
        times=directory("<results>/times/embed_batches/{probe}/{estimator}/{curve}{job}"),
    log:
        "<results>/logs/embed_batches/{curve}{probe}.{estimator}.{job}.log",
    benchmark:
        "<results>/benchmarks/embed_batches/{curve}{probe}.{estimator}.{job}.tsv"
    wildcard_constraints:
        probe="[^/]+",
        estimator="[^/]+",
        curve=plan.fisher.curve_folder,
        job="sets-[0-9]+",
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("embed_batches")
    resources:
        **ask.all("embed_batches"),
    params:
        folder=lambda w, input: folder_of(input.probe),
        tokenizer=lambda w, input: folder_of(input.tokenizer),
        estimator=lambda w: plan.fisher.estimator_json(w.estimator),
        head_epochs=lambda w: plan.fisher.settings(w.estimator)["head_epochs"],
        microbatch=lambda w: plan.fisher.settings(w.estimator)["microbatch"],
        batches=lambda w: plan.fisher.batches(w.estimator, w.curve),
        rows=lambda w: plan.fisher.settings(w.estimator)["rows"],
        fewer_rows=lambda w: plan.fisher.fewer_rows(w.estimator, w.curve),
        sets=lambda w, input: options("--set", plan.fisher.jobs(w.estimator, w.curve)[w.job], input.rows),
        answers=lambda w: plan.fisher.answers(w.estimator, w.job, w.curve),
        sampling=lambda w: plan.fisher.settings(w.estimator)["sampling"],
        seed=plan.config["seed"],
        store=f"{plan.root}/store/embeddings",
        device=plan.config["device"],
        precision=plan.config["precision"],
        threads=ask.threads("embed_batches"),
        code=code_hash("workflow_scripts.embed_batches"),
    shell:
        "python -m workflow_scripts.embed_batches"
        " {params.sets:q}"
        " --model {params.folder:q}"
        " --tokenizer {params.tokenizer:q}"
        " --estimator {params.estimator:q}"
        " --head-epochs {params.head_epochs}"
        " --microbatch {params.microbatch}"
        " --batches {params.batches}"
        " --rows-per-batch {params.rows}"
        " {params.fewer_rows}"
        " {params.answers:q}"
        " --sampling {params.sampling}"
        " --seed {params.seed}"
        " --store {params.store:q}"
        " --device {params.device}"
        " --precision {params.precision}"
        " --threads {params.threads}"
        " --output {output.embeddings:q}"
        " --times {output.times:q}"
        " 2> {log:q}"
