"""Which data to train on: candidates ranked, rows selected, shares mixed. Nothing is trained for it.

in:  alignment/alignment.parquet, tokens and manifests of candidates and targets, files of the user
out: answers/<question>/, one folder a question of the config
"""


rule answers:
    """Target: the answer to every question of the config."""
    input:
        plan.choosing.answers,


rule measure_sizes:
    """Tokens and bytes of candidates and targets; estimated for the whole text if only a sample was tokenized."""
    input:
        rows=plan.choosing.sized_rows(),
        manifests=plan.choosing.sized_manifests(),
    output:
        "<results>/answers/sizes.json",
    log:
        "<results>/logs/measure_sizes.log",
    benchmark:
        "<results>/benchmarks/measure_sizes.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("measure_sizes")
    resources:
        **ask.all("measure_sizes"),
    params:
        sets=lambda w, input: options("--set", plan.choosing.sized_sets, input.rows),
        corpora=f"{plan.root}/corpora",
        code=code_hash("workflow_scripts.measure_sizes"),
    shell:
        "python -m workflow_scripts.measure_sizes"
        " {params.sets:q}"
        " --corpora {params.corpora:q}"
        " --output {output:q}"
        " 2> {log:q}"


rule survey_pool:
    """One pass over a candidate's files: its size, its duplicates, rows of the target that recur in it."""
    input:
        target=lambda w: plan.choosing.target_documents(w.question),
        files=lambda w: plan.corpora.files_read(w.corpus),
    output:
        "<results>/answers/{question}/surveys/{corpus}.json",
    log:
        "<results>/logs/survey_pool/{question}.{corpus}.log",
    benchmark:
        "<results>/benchmarks/survey_pool/{question}.{corpus}.tsv"
    wildcard_constraints:
        question=one_of(plan.choosing.named("rank")),
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("survey_pool")
    resources:
        **ask.all("survey_pool"),
    params:
        spec=lambda w: plan.corpora.spec_json(w.corpus),
        seed=plan.config["seed"],
        sizes=lambda w: sizes_of(plan.corpora.files_read(w.corpus)),
        code=code_hash("workflow_scripts.survey_pool"),
    shell:
        "python -m workflow_scripts.survey_pool"
        " --name {wildcards.corpus:q}"
        " --spec {params.spec:q}"
        " --target {input.target:q}"
        " --split eval"
        " --seed {params.seed}"
        " --output {output:q}"
        " 2> {log:q}"


rule rank_candidates:
    """Candidates by effective tokens for the target, with intervals and warnings."""
    input:
        alignment="<results>/alignment/alignment.parquet",
        sizes=rules.measure_sizes.output,
        surveys=lambda w: plan.choosing.surveys(w.question),
        losses=lambda w: plan.choosing.losses(w.question),
    output:
        table="<results>/answers/{question}/ranking.parquet",
        answer="<results>/answers/{question}/answer.json",
    log:
        "<results>/logs/rank_candidates/{question}.log",
    benchmark:
        "<results>/benchmarks/rank_candidates/{question}.tsv"
    wildcard_constraints:
        question=one_of(plan.choosing.named("rank")),
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("rank_candidates")
    resources:
        **ask.all("rank_candidates"),
    params:
        question=lambda w: plan.choosing.questions[w.question],
        metrics=plan.choosing.metrics,
        labels=lambda w: plan.choosing.labels(w.question),
        surveys=lambda w, input: options("--survey", plan.choosing.surveyed(w.question), input.surveys),
        runs=lambda w: plan.choosing.runs(w.question),
        seed=plan.config["seed"],
        code=code_hash("workflow_scripts.rank_candidates"),
        constants=text_hash("workflow_scripts/choosing", "*.csv"),
    shell:
        "python -m workflow_scripts.rank_candidates"
        " --target {params.question[target]:q}"
        " --candidates {params.question[candidates]:q}"
        " --alignment {input.alignment:q}"
        " --metrics {params.metrics:q}"
        " --sizes {input.sizes:q}"
        " {params.surveys:q}"
        " {params.runs:q}"
        " {params.labels:q}"
        " --draws {params.question[draws]}"
        " --seed {params.seed}"
        " --output {output.table:q}"
        " --answer {output.answer:q}"
        " 2> {log:q}"


rule show_ranking:
    """The page of a ranking."""
    input:
        table=rules.rank_candidates.output.table,
        answer=rules.rank_candidates.output.answer,
    output:
        "<results>/answers/{question}/index.html",
    log:
        "<results>/logs/show_ranking/{question}.log",
    benchmark:
        "<results>/benchmarks/show_ranking/{question}.tsv"
    wildcard_constraints:
        question=one_of(plan.choosing.named("rank")),
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("show_ranking")
    resources:
        **ask.all("show_ranking"),
    params:
        code=code_hash("workflow_scripts.show_ranking"),
        templates=text_hash("workflow_scripts/report", "*.j2", "*.css"),
    shell:
        "python -m workflow_scripts.show_ranking"
        " --ranking {input.table:q}"
        " --answer {input.answer:q}"
        " --output {output:q}"
        " 2> {log:q}"


rule select_rows:
    """The rows of a pool that are nearest to the target, in one pass over files of any size."""
    input:
        target=lambda w: plan.choosing.target_documents(w.question),
        sizes=rules.measure_sizes.output,
        files=lambda w: plan.choosing.pool_files(w.question),
        probe=lambda w: [plan.probe.weights] if plan.choosing.scored_by_fisher(w.question) else [],
        tokenizer=lambda w: (
            rules.make_tokenizer.output.tokenizer if plan.choosing.scored_by_fisher(w.question) else []
        ),
    output:
        chosen="<results>/answers/{question}/chosen.{format}",
        card="<results>/answers/{question}/README.{format}.md",
        summary="<results>/answers/{question}/summary.{format}.json",
    log:
        "<results>/logs/select_rows/{question}.{format}.log",
    benchmark:
        "<results>/benchmarks/select_rows/{question}.{format}.tsv"
    wildcard_constraints:
        question=one_of(plan.choosing.named("select")),
        format="parquet|jsonl",
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("select_rows")
    resources:
        **ask.all("select_rows", lambda w: plan.choosing.scored_by_fisher(w.question)),
    params:
        question=lambda w: plan.choosing.questions[w.question],
        pool=lambda w: plan.choosing.pool(w.question),
        seed=plan.config["seed"],
        second_score=lambda w, input: (
            plan.choosing.second_score(
                w.question,
                folder_of(input.probe[0]),
                folder_of(input.tokenizer),
                plan.fisher.estimator_json("corrected"),
            )
            if plan.choosing.scored_by_fisher(w.question)
            else []
        ),
        processes=ask.threads("select_rows"),
        scratch=f"{plan.root}/store/selecting",
        sizes=lambda w: sizes_of(plan.choosing.pool_files(w.question)),
        code=lambda w: code_hash("workflow_scripts.select_rows", *plan.choosing.score_modules(w.question)),
    shell:
        "python -m workflow_scripts.select_rows"
        " {params.pool:q}"
        " --target {input.target:q}"
        " --split eval"
        " --tokens {params.question[tokens]}"
        " --sizes {input.sizes:q}"
        " --size-of {params.question[target]}.eval"
        " --seed {params.seed}"
        " --processes {params.processes}"
        " --scratch {params.scratch:q}"
        " {params.second_score:q}"
        " --output {output.chosen:q}"
        " --card {output.card:q}"
        " --summary {output.summary:q}"
        " 2> {log:q}"


rule show_selection:
    """The page of a selection."""
    input:
        lambda w: plan.choosing.summary(w.question),
    output:
        "<results>/answers/{question}/index.html",
    log:
        "<results>/logs/show_selection/{question}.log",
    benchmark:
        "<results>/benchmarks/show_selection/{question}.tsv"
    wildcard_constraints:
        question=one_of(plan.choosing.named("select")),
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("show_selection")
    resources:
        **ask.all("show_selection"),
    params:
        question=lambda w: plan.choosing.questions[w.question],
        labels=lambda w: plan.choosing.labels(w.question),
        code=code_hash("workflow_scripts.show_selection"),
        templates=text_hash("workflow_scripts/report", "*.j2", "*.css"),
    shell:
        "python -m workflow_scripts.show_selection"
        " --summary {input:q}"
        " --target {params.question[target]:q}"
        " {params.labels:q}"
        " --output {output:q}"
        " 2> {log:q}"


rule mix_candidates:
    """Shares of the candidates for a budget of tokens, their gain, and the value of more text."""
    input:
        alignment="<results>/alignment/alignment.parquet",
        sizes=rules.measure_sizes.output,
    output:
        table="<results>/answers/{question}/mix.parquet",
        gains="<results>/answers/{question}/gains.parquet",
        shares="<results>/answers/{question}/weights.json",
        mixture="<results>/answers/{question}/mixture.yaml",
    log:
        "<results>/logs/mix_candidates/{question}.log",
    benchmark:
        "<results>/benchmarks/mix_candidates/{question}.tsv"
    wildcard_constraints:
        question=one_of(plan.choosing.named("mix")),
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("mix_candidates")
    resources:
        **ask.all("mix_candidates"),
    params:
        question=lambda w: plan.choosing.questions[w.question],
        metric=plan.choosing.metrics[0],
        weights=lambda w: plan.choosing.weights(w.question),
        minimum_shares=lambda w: plan.choosing.minimum_shares(w.question),
        labels=lambda w: plan.choosing.labels(w.question),
        seed=plan.config["seed"],
        # CVXPY loads its solver by name.
        code=code_hash("workflow_scripts.mix_candidates", packages=("clarabel",)),
        constants=text_hash("workflow_scripts/choosing", "*.csv"),
    shell:
        "python -m workflow_scripts.mix_candidates"
        " --alignment {input.alignment:q}"
        " --metric {params.metric:q}"
        " --sizes {input.sizes:q}"
        " --candidates {params.question[candidates]:q}"
        " --targets {params.question[targets]:q}"
        " --weights {params.weights}"
        " --tokens {params.question[tokens]}"
        " --epochs {params.question[epochs]}"
        " {params.minimum_shares:q}"
        " {params.labels:q}"
        " --slope {params.question[slope]}"
        " --log-slope-sd {params.question[log_slope_sd]}"
        " --draws {params.question[draws]}"
        " --seed {params.seed}"
        " --output {output.table:q}"
        " --gains {output.gains:q}"
        " --shares {output.shares:q}"
        " --mixture {output.mixture:q}"
        " 2> {log:q}"


rule show_mix:
    """The page of the shares."""
    input:
        table=rules.mix_candidates.output.table,
        gains=rules.mix_candidates.output.gains,
    output:
        "<results>/answers/{question}/index.html",
    log:
        "<results>/logs/show_mix/{question}.log",
    benchmark:
        "<results>/benchmarks/show_mix/{question}.tsv"
    wildcard_constraints:
        question=one_of(plan.choosing.named("mix")),
    conda:
        "../envs/cpu.yaml"
    threads: ask.cpus("show_mix")
    resources:
        **ask.all("show_mix"),
    params:
        code=code_hash("workflow_scripts.show_mix"),
        templates=text_hash("workflow_scripts/report", "*.j2", "*.css"),
    shell:
        "python -m workflow_scripts.show_mix"
        " --mix {input.table:q}"
        " --gains {input.gains:q}"
        " --output {output:q}"
        " 2> {log:q}"
