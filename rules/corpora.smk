"""Corpora: one table of documents per entry of `corpora:`.

in:  the source that the entry names; for a derived corpus, the documents it is made from
out: corpora/<corpus>/documents.parquet, manifest.json
"""


rule corpora:
    """Target: every corpus of the run."""
    input:
        [plan.tokens.documents(corpus) for corpus in plan.corpora.with_documents],


rule build_corpus:
    """A corpus from its source: read, split into sides by source object, without duplicates across the sides."""
    input:
        base=lambda w: [plan.tokens.documents(name) for name in plan.corpora.parents(w.corpus)],
        others=lambda w: [plan.tokens.documents(name) for name in plan.corpora.disjoint_from(w.corpus)],
        files=lambda w: plan.corpora.files_read(w.corpus),
    output:
        documents="<results>/corpora/{corpus}/documents.parquet",
        manifest="<results>/corpora/{corpus}/manifest.json",
    log:
        "<results>/logs/build_corpus/{corpus}.log",
    benchmark:
        "<results>/benchmarks/build_corpus/{corpus}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("build_corpus")
    resources:
        **ask.all("build_corpus"),
    params:
        spec=lambda w: plan.corpora.spec_json(w.corpus),
        held_out=lambda w: plan.corpora.held_out(w.corpus),
        base=lambda w, input: ["--base", input.base[0]] if input.base else [],
        others=lambda w, input: ["--disjoint-from", *input.others] if input.others else [],
        sizes=lambda w: sizes_of(plan.corpora.files_read(w.corpus)),
        seed=plan.config["seed"],
        code=lambda w: code_hash(
            *plan.corpora.modules(w.corpus), packages=plan.corpora.packages_read(w.corpus)
        ),
    shell:
        "python -m workflow_scripts.build_corpus"
        " --name {wildcards.corpus:q}"
        " --spec {params.spec:q}"
        " --held-out {params.held_out}"
        " --seed {params.seed}"
        " {params.base:q}"
        " {params.others:q}"
        " --documents {output.documents:q}"
        " --manifest {output.manifest:q}"
        " 2> {log:q}"
