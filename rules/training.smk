"""Training and evaluation: models per recipe and training set, and their loss on every evaluation set.

in:  tokens/<corpus>/train.<layout>.parquet, corpora/<corpus>/documents.parquet, probe/<probe>/
out: training/<recipe>/<train_set>/seeds-<seeds>/, losses/<recipe>/<eval_set>.parquet,
     losses/losses.parquet, losses/loss_summary.parquet,
     losses/ngrams/<recipe>/<train_set>.parquet, losses/ngram_summary.parquet
"""

from workflow_scripts.plan.stages.training import NGRAM_ORDER


rule training:
    """Target: every model trained and evaluated."""
    input:
        "<results>/losses/loss_summary.parquet",
        plan.training.ngram_summary,


rule train_models:
    """Train one recipe on one training set, for the seeds that share a process."""
    input:
        rows=lambda w: plan.tokens.rows(w.train_set, "train", plan.training.layout(w.recipe, w.train_set)),
        base=lambda w: plan.training.base(w.recipe),
        tokenizer=rules.make_tokenizer.output.tokenizer,
    output:
        models=directory("<results>/training/{recipe}/{train_set}/seeds-{seeds}/models"),
        manifest="<results>/training/{recipe}/{train_set}/seeds-{seeds}/manifest.json",
        times="<results>/times/train_models/{recipe}/{train_set}/seeds-{seeds}.json",
    log:
        "<results>/logs/train_models/{recipe}.{train_set}.seeds-{seeds}.log",
    benchmark:
        "<results>/benchmarks/train_models/{recipe}.{train_set}.seeds-{seeds}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("train_models")
    resources:
        **ask.all("train_models"),
    params:
        recipe=lambda w: plan.training.recipe_json(w.recipe, w.train_set),
        seeds=lambda w: w.seeds.split("-"),
        base=lambda w, input: ["--base", folder_of(input.base[0])] if input.base else [],
        tokenizer=lambda w, input: folder_of(input.tokenizer),
        checkpoints=lambda w: f"{plan.root}/store/checkpoints/{w.recipe}/{w.train_set}/{w.seeds}",
        device=plan.config["device"],
        gpus=max(ask.gpus("train_models"), 1),
        threads=ask.threads("train_models"),
        code=code_hash("workflow_scripts.train_models"),
    shell:
        "python -m workflow_scripts.train_models"
        " --rows {input.rows:q}"
        " --train-set {wildcards.train_set:q}"
        " --recipe {params.recipe:q}"
        " --seeds {params.seeds}"
        " {params.base:q}"
        " --tokenizer {params.tokenizer:q}"
        " --checkpoints {params.checkpoints:q}"
        " --checkpoint-seconds {resources.checkpoint_seconds}"
        " --device {params.device}"
        " --gpus {params.gpus}"
        " --threads {params.threads}"
        " --models {output.models:q}"
        " --manifest {output.manifest:q}"
        " --times {output.times:q}"
        " 2> {log:q}"


rule evaluate_models:
    """Loss per document of every model of a recipe on one evaluation set; known results come from the store."""
    input:
        documents=lambda w: plan.tokens.documents(w.eval_set),
        manifests=lambda w: plan.training.manifests(w.recipe),
        base=lambda w: plan.training.base(w.recipe),
        tokenizer=rules.make_tokenizer.output.tokenizer,
    output:
        losses="<results>/losses/{recipe}/{eval_set}.parquet",
        times="<results>/times/evaluate_models/{recipe}/{eval_set}.json",
    log:
        "<results>/logs/evaluate_models/{recipe}.{eval_set}.log",
    benchmark:
        "<results>/benchmarks/evaluate_models/{recipe}.{eval_set}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("evaluate_models")
    resources:
        **ask.all("evaluate_models"),
    params:
        settings=lambda w: plan.training.evaluation_json(w.recipe),
        budgets=lambda w: plan.training.budgets(w.recipe, w.eval_set),
        base=lambda w, input: ["--base", folder_of(input.base[0])] if input.base else [],
        tokenizer=lambda w, input: folder_of(input.tokenizer),
        store=f"{plan.root}/store/losses",
        device=plan.config["device"],
        threads=ask.threads("evaluate_models"),
        code=code_hash("workflow_scripts.evaluate_models"),
    shell:
        "python -m workflow_scripts.evaluate_models"
        " --documents {input.documents:q}"
        " --split eval"
        " --eval-set {wildcards.eval_set:q}"
        " --manifests {input.manifests:q}"
        " {params.base:q}"
        " --budgets {params.budgets}"
        " --tokenizer {params.tokenizer:q}"
        " --settings {params.settings:q}"
        " --store {params.store:q}"
        " --device {params.device}"
        " --threads {params.threads}"
        " --output {output.losses:q}"
        " --times {output.times:q}"
        " 2> {log:q}"


rule collect_losses:
    """The losses of all experiments, and their means over documents."""
    input:
        losses=plan.training.losses,
        recorded=plan.outside.losses,
    output:
        losses="<results>/losses/losses.parquet",
        summary="<results>/losses/loss_summary.parquet",
        missing="<results>/losses/missing.json",
    log:
        "<results>/logs/collect_losses.log",
    benchmark:
        "<results>/benchmarks/collect_losses.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("collect_losses")
    resources:
        **ask.all("collect_losses"),
    params:
        experiments=plan.analysis.experiments_json,
        losses=lambda w, input: options(
            "--losses", [folder_names(path, 1) for path in input.losses], input.losses
        ),
        recorded=lambda w, input: options("--recorded", map(experiment_of, input.recorded), input.recorded),
        code=code_hash("workflow_scripts.collect_losses"),
    shell:
        "python -m workflow_scripts.collect_losses"
        " --experiments {params.experiments:q}"
        " {params.losses:q}"
        " {params.recorded:q}"
        " --losses-output {output.losses:q}"
        " --summary {output.summary:q}"
        " --missing {output.missing:q}"
        " 2> {log:q}"


rule score_ngrams:
    """Loss of n-gram models, counted on the tokens that a recipe reads, on all evaluation sets of a training set.

    The first seed of a recipe stands for all: seeds read different parts of a set, and their losses differ little.
    """
    input:
        rows=lambda w: plan.tokens.rows(w.train_set, "train", plan.training.layout(w.recipe, w.train_set)),
        documents=lambda w: [
            plan.tokens.documents(name) for name in plan.training.ngram_eval_sets(w.recipe, w.train_set)
        ],
        tokenizer=rules.make_tokenizer.output.tokenizer,
    output:
        "<results>/losses/ngrams/{recipe}/{train_set}.parquet",
    log:
        "<results>/logs/score_ngrams/{recipe}.{train_set}.log",
    benchmark:
        "<results>/benchmarks/score_ngrams/{recipe}.{train_set}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("score_ngrams")
    resources:
        **ask.all("score_ngrams"),
    params:
        recipe=lambda w: plan.training.recipe_json(w.recipe, w.train_set),
        seed=lambda w: plan.training.recipe(w.recipe)["seeds"][0],
        budgets=lambda w: plan.training.ngram_budgets(w.recipe, w.train_set),
        order=NGRAM_ORDER,
        settings=lambda w: plan.training.evaluation_json(w.recipe),
        documents=lambda w, input: options(
            "--documents", plan.training.ngram_eval_sets(w.recipe, w.train_set), input.documents
        ),
        tokenizer=lambda w, input: folder_of(input.tokenizer),
        code=code_hash("workflow_scripts.score_ngrams"),
    shell:
        "python -m workflow_scripts.score_ngrams"
        " --rows {input.rows:q}"
        " --train-set {wildcards.train_set:q}"
        " --recipe {params.recipe:q}"
        " --seed {params.seed}"
        " --budgets {params.budgets}"
        " --order {params.order}"
        " {params.documents:q}"
        " --split eval"
        " --tokenizer {params.tokenizer:q}"
        " --settings {params.settings:q}"
        " --output {output:q}"
        " 2> {log:q}"


rule collect_ngram_losses:
    """The losses of n-gram models for every cell of the experiments' tables of losses."""
    input:
        plan.training.ngram_losses,
    output:
        "<results>/losses/ngram_summary.parquet",
    log:
        "<results>/logs/collect_ngram_losses.log",
    benchmark:
        "<results>/benchmarks/collect_ngram_losses.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("collect_ngram_losses")
    resources:
        **ask.all("collect_ngram_losses"),
    params:
        experiments=plan.analysis.experiments_json,
        losses=lambda w, input: options(
            "--losses", [f"{folder_names(path, 1)}/{Path(path).stem}" for path in input], input
        ),
        code=code_hash("workflow_scripts.collect_ngram_losses"),
    shell:
        "python -m workflow_scripts.collect_ngram_losses"
        " --experiments {params.experiments:q}"
        " {params.losses:q}"
        " --summary {output:q}"
        " 2> {log:q}"
