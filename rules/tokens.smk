"""Tokens: the tokenizer of the run, and every set as rows of token ids.

in:  corpora/<corpus>/documents.parquet
out: tokens/tokenizer/, tokens/<corpus>/<split>.<layout>.parquet
"""

with_documents = plan.corpora.with_documents
mixtures = plan.corpora.needed_of("mixture")
random_corpora = plan.corpora.needed_of("random_tokens")


rule tokens:
    """Target: the rows of every set whose alignment is measured."""
    input:
        [plan.alignment.rows_of(name) for name in plan.sets.names],


rule make_tokenizer:
    """Byte-level BPE trained on the tokenizer's corpora (on train sides, if any), or a pretrained tokenizer."""
    input:
        documents=[plan.tokens.documents(corpus) for corpus in plan.corpora.of_tokenizer],
    output:
        tokenizer="<results>/tokens/tokenizer/tokenizer.json",
        settings="<results>/tokens/tokenizer/tokenizer_config.json",
        checksums="<results>/tokens/tokenizer/checksums.json",
    log:
        "<results>/logs/make_tokenizer.log",
    benchmark:
        "<results>/benchmarks/make_tokenizer.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("make_tokenizer")
    resources:
        **ask.all("make_tokenizer"),
    params:
        folder=lambda w, output: folder_of(output.tokenizer),
        pretrained=plan.tokens.tokenizer_source,
        vocabulary=plan.config["tokenizer"]["vocabulary"],
        code=code_hash("workflow_scripts.make_tokenizer"),
    shell:
        "python -m workflow_scripts.make_tokenizer"
        " {params.pretrained:q}"
        " --documents {input.documents:q}"
        " --vocabulary {params.vocabulary}"
        " --output {params.folder:q}"
        " 2> {log:q}"


rule tokenize_corpus:
    """One side of a corpus as rows: packed, or one row per document."""
    input:
        documents="<results>/corpora/{corpus}/documents.parquet",
        tokenizer=rules.make_tokenizer.output.tokenizer,
    output:
        "<results>/tokens/{corpus}/{split}.{layout}.parquet",
    log:
        "<results>/logs/tokenize_corpus/{corpus}.{split}.{layout}.log",
    benchmark:
        "<results>/benchmarks/tokenize_corpus/{corpus}.{split}.{layout}.tsv"
    wildcard_constraints:
        corpus=one_of(with_documents),
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("tokenize_corpus")
    resources:
        **ask.all("tokenize_corpus"),
    params:
        folder=lambda w, input: folder_of(input.tokenizer),
        length=plan.config["rows"]["length"],
        order=plan.config["rows"]["order"],
        seed=plan.config["seed"],
        code=code_hash("workflow_scripts.tokenize_corpus"),
    shell:
        "python -m workflow_scripts.tokenize_corpus"
        " --documents {input.documents:q}"
        " --name {wildcards.corpus:q}"
        " --split {wildcards.split}"
        " --layout {wildcards.layout}"
        " --tokenizer {params.folder:q}"
        " --length {params.length}"
        " --order {params.order}"
        " --seed {params.seed}"
        " --output {output:q}"
        " 2> {log:q}"


rule mix_rows:
    """A mixture: rows of several sets in fixed shares of tokens."""
    input:
        lambda w: [
            plan.tokens.of_set(f"{name}.{w.split}", w.layout) for name in plan.corpora.parents(w.corpus)
        ],
    output:
        "<results>/tokens/{corpus}/{split}.{layout}.parquet",
    log:
        "<results>/logs/mix_rows/{corpus}.{split}.{layout}.log",
    benchmark:
        "<results>/benchmarks/mix_rows/{corpus}.{split}.{layout}.tsv"
    wildcard_constraints:
        corpus=one_of(mixtures),
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("mix_rows")
    resources:
        **ask.all("mix_rows"),
    params:
        fractions=lambda w: plan.corpora.fractions(w.corpus),
        unit=plan.tokens.mix_unit,
        code=code_hash("workflow_scripts.mix_rows"),
    shell:
        "python -m workflow_scripts.mix_rows"
        " --rows {input:q}"
        " --fractions {params.fractions}"
        " --unit {params.unit}"
        " --output {output:q}"
        " 2> {log:q}"


rule draw_random_rows:
    """Rows of uniformly random tokens: the floor of the scale."""
    input:
        tokenizer=rules.make_tokenizer.output.tokenizer,
    output:
        "<results>/tokens/{corpus}/{split}.packed.parquet",
    log:
        "<results>/logs/draw_random_rows/{corpus}.{split}.log",
    benchmark:
        "<results>/benchmarks/draw_random_rows/{corpus}.{split}.tsv"
    wildcard_constraints:
        corpus=one_of(random_corpora),
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("draw_random_rows")
    resources:
        **ask.all("draw_random_rows"),
    params:
        folder=lambda w, input: folder_of(input.tokenizer),
        length=plan.config["rows"]["length"],
        n_rows=lambda w: plan.corpora.specs[w.corpus]["rows"],
        seed=plan.config["seed"],
        code=code_hash("workflow_scripts.draw_random_rows"),
    shell:
        "python -m workflow_scripts.draw_random_rows"
        " --name {wildcards.corpus:q}"
        " --split {wildcards.split}"
        " --tokenizer {params.folder:q}"
        " --length {params.length}"
        " --count {params.n_rows}"
        " --seed {params.seed}"
        " --output {output:q}"
        " 2> {log:q}"
