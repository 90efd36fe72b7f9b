"""The probe: the model whose Fisher information is the embedding, and the base that fine-tuning starts from.

in:  tokens/<corpus>/train.packed.parquet of the probe's own corpora
out: probe/<probe>/
"""


rule probe:
    """Target: the probes that metrics use; fine-tuning starts from the first."""
    input:
        [plan.probe.weights_of(name) for name in plan.probes_used or [plan.probe.first]],


rule train_probe:
    """Train a probe on corpora that no experiment uses, or copy a pretrained one."""
    input:
        rows=[plan.tokens.rows(corpus, "train") for corpus in plan.corpora.of_probe],
        tokenizer=rules.make_tokenizer.output.tokenizer,
    output:
        weights="<results>/probe/{probe}/model.safetensors",
        config="<results>/probe/{probe}/config.json",
        checksums="<results>/probe/{probe}/checksums.json",
        manifest="<results>/probe/{probe}/manifest.json",
        times="<results>/times/train_probe/{probe}.json",
    log:
        "<results>/logs/train_probe/{probe}.log",
    benchmark:
        "<results>/benchmarks/train_probe/{probe}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("train_probe")
    resources:
        **ask.all("train_probe"),
    params:
        folder=lambda w, output: folder_of(output.weights),
        tokenizer=lambda w, input: folder_of(input.tokenizer),
        model=plan.probe.model_json,
        tokens=plan.config["probe"]["tokens"],
        settings=plan.probe.training_json,
        seed=lambda w: plan.probe.seed(w.probe),
        checkpoints=lambda w: f"{plan.root}/store/checkpoints/probe/{w.probe}",
        device=plan.config["device"],
        gpus=max(ask.gpus("train_probe"), 1),
        threads=ask.threads("train_probe"),
        code=code_hash("workflow_scripts.train_probe"),
    shell:
        "python -m workflow_scripts.train_probe"
        " --rows {input.rows:q}"
        " --tokenizer {params.tokenizer:q}"
        " --model {params.model:q}"
        " --tokens {params.tokens}"
        " --settings {params.settings:q}"
        " --seed {params.seed}"
        " --checkpoints {params.checkpoints:q}"
        " --checkpoint-seconds {resources.checkpoint_seconds}"
        " --device {params.device}"
        " --gpus {params.gpus}"
        " --threads {params.threads}"
        " --output {params.folder:q}"
        " --manifest {output.manifest:q}"
        " --times {output.times:q}"
        " 2> {log:q}"
