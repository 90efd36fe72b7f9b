"""Published: analyses the paper's own numbers with our statistics, and scores its sentence with its model.

in:  published/*.csv, published/one_sentence.json
out: analysis/published.parquet, analysis/published_points.parquet, analysis/one_sentence.json
"""


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
    """Target: print whether GPT-2 before fine-tuning has its published perplexity on one sentence."""
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
    """Analyse the published numbers with the same statistics as our own."""
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
