"""Estimates the work of each stage from the config: operations, text, bytes on disk, jobs."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from workflow_scripts.fisher.switches import OF_THE_ESTIMATOR
from workflow_scripts.metrics.registry import metric_class
from workflow_scripts.models.formats import count_weights
from workflow_scripts.plan.rules import RULES
from workflow_scripts.plan.run_plan import RunPlan
from workflow_scripts.plan.sources import expected_bytes, largest_bytes
from workflow_scripts.plan.stages.files import SetName
from workflow_scripts.plan.stages.fisher import CURVE
from workflow_scripts.tokens.parts import ANSWER

# Speeds of one core: building a corpus hashes and compares texts, the tokenizer encodes them.
_BUILT_PER_SECOND = 10e6
_TOKENIZED_PER_SECOND = 2.5e6
_SURVEYED_PER_SECOND = 20e6
_SECONDS_PER_SCORED_ROW = 0.05  # for its Fisher information by a probe of 2 x 128
_ROWS_OF_SCORER = 1024  # of target and pool, from which it learns
_COUNTED_PER_SECOND = 0.8e6  # tokens that an n-gram model is made of
_BYTES_PER_TOKEN = 4.2  # GPT-2 on English prose
_BYTES_ON_DISK = 5.0  # bytes of a token: its id and its mask
_UNKNOWN_TEXT = 5e6  # bytes of a corpus of unknown size
_DOCUMENT = 2e3  # bytes of a document, for a data set that says only how many documents it has
_SECONDS_PER_COORDINATE = 3e-10  # for a distance of two embeddings: 45 microseconds for 134,993 coordinates
# Both ends of the switch table are embedded as they are, and once for each switch but epsilon.
SWITCH_EMBEDDINGS = 2 * (1 + len((*OF_THE_ESTIMATOR, "layout", "same_batches")))
# Stages of rules that only the report needs.
_OF_THE_REPORT = ("evaluation", "outside", "analysis", "published", "report")
_TOKENS_OF_WHOLE_SET = 1e6  # assumed for an evaluation set that is used whole


def operations(plan: RunPlan) -> dict[str, float]:
    """Floating-point operations per rule: 6 per weight and token in training, 2 in evaluation."""
    config = plan.config
    evaluated = 0.0
    for recipe_name, _, seeds in plan.training.jobs:
        recipe = plan.training.recipe(recipe_name)
        weights = model_weights(plan, recipe["model"])
        n_seeds = len(seeds.split("-"))
        sets = sum(1 for name, _ in plan.training.evaluations if name == recipe_name)
        windows = (recipe["evaluation"]["tokens"] or _TOKENS_OF_WHOLE_SET) * 1.5
        evaluated += 2 * weights * windows * sets * n_seeds * len(recipe["tokens"])
    probe = model_weights(plan, config["probe"]["model"])
    settings = config["alignment"]
    row_tokens = settings["batches"] * settings["rows"] * config["rows"]["length"]
    return {
        "train_models": sum(training_operations(plan).values()),
        "evaluate_models": evaluated,
        "train_probe": 0
        if "pretrained" in config["probe"]["model"]
        else 6 * probe * config["probe"]["tokens"] * len(plan.probes_used),
        "embed_batches": sum(
            probe * _passes(plan, estimator) * rows * config["rows"]["length"]
            for estimator in plan.fisher.estimators
            for rows in _embedded_rows(plan, estimator).values()
        )
        * len(plan.probes_used)
        + sum(
            probe * _passes(plan, estimator) * rows * config["rows"]["length"]
            for estimator in plan.fisher.estimators
            for rows in _curve_rows(plan, estimator).values()
        ),
        "flip_switches": probe
        * _flipped_tokens(plan)
        * (6 + 6 * (config["switches"] or {}).get("head_epochs", 0)),
        "measure_covariates": 2 * probe * row_tokens * len(plan.sets.names),
    }


def training_operations(plan: RunPlan) -> dict[str, float]:
    """Floating-point operations of training by recipe."""
    found: dict[str, float] = {}
    for name, _, seeds in plan.training.jobs:
        recipe = plan.training.recipe(name)
        one_run = recipe["epochs"] == 1 and recipe["schedule"] == "constant"
        tokens = max(recipe["tokens"]) if one_run else sum(recipe["tokens"])
        runs = recipe["epochs"] * len(seeds.split("-"))
        found[name] = found.get(name, 0.0) + 6 * model_weights(plan, recipe["model"]) * tokens * runs
    return found


def text_seconds(plan: RunPlan) -> dict[str, float]:
    """Seconds of one core, per rule, spent on texts and distances rather than on models."""
    built = sum(read_bytes(plan, name) for name in plan.corpora.with_documents)
    surveyed = sum(
        read_bytes(plan, name)
        for question in plan.choosing.named("rank")
        for name in plan.choosing.surveyed(question)
    )
    tokenized = sum(text_bytes(plan, path.split("/")[-2]) for path in rows_files(plan))
    selected = sum(
        read_bytes(plan, name)
        for question in plan.choosing.named("select")
        for name in plan.choosing.questions[question]["pool"]
    )
    scored = sum(
        _ROWS_OF_SCORER + question["shortlist"] * question["tokens"] / plan.config["rows"]["length"]
        for name, question in plan.choosing.questions.items()
        if name in plan.choosing.named("select") and plan.choosing.scored_by_fisher(name)
    )
    n_sets, n_targets = len(plan.sets.names), sum(name.endswith(".eval") for name in plan.sets.names)
    # In blocks: each training set with each evaluation set, and each set with itself and the floor.
    pairs = (
        (n_sets - n_targets) * n_targets + 2 * n_sets if plan.alignment.blocks else n_sets * (n_sets + 1) / 2
    )
    of_estimators = [e for m in plan.alignment.metrics if (e := metric_class(m).estimator())]
    compared = sum(plan.fisher.settings(estimator)["batches"] ** 2 for estimator in of_estimators)
    return {
        "build_corpus": built / _BUILT_PER_SECOND,
        "survey_pool": surveyed / _SURVEYED_PER_SECOND,
        "select_rows": selected / _SURVEYED_PER_SECOND + scored * _SECONDS_PER_SCORED_ROW,
        "tokenize_corpus": tokenized / _TOKENIZED_PER_SECOND,
        "score_ngrams": sum(
            tokens for job in plan.training.ngram_jobs for tokens in plan.training.ngram_budgets(*job)
        )
        / _COUNTED_PER_SECOND,
        "compare_sets": pairs
        * compared
        * coordinates(plan)
        * _SECONDS_PER_COORDINATE
        * len(plan.probes_used),
    }


def disk_bytes(plan: RunPlan) -> dict[str, float]:
    """Bytes that each stage leaves on disk: texts, tokens, weights in float32, embeddings in table and store."""
    of_text = {name: text_bytes(plan, name) for name in plan.corpora.with_documents}
    recipes = [(plan.training.recipe(name), seeds) for name, _, seeds in plan.training.jobs]
    embeddings = sum(
        plan.fisher.settings(estimator)["batches"] * len(_embedded_rows(plan, estimator))
        for estimator in plan.fisher.estimators
    )
    tokens = sum(text_bytes(plan, path.split("/")[-2]) for path in rows_files(plan)) / _BYTES_PER_TOKEN
    return {
        "corpora": sum(of_text.values()),
        "tokens": tokens * _BYTES_ON_DISK,
        "probe": 4 * model_weights(plan, plan.config["probe"]["model"]) * len(plan.probes_used),
        "embeddings": 2 * 4 * coordinates(plan) * embeddings * len(plan.probes_used),
        "training": sum(
            4 * model_weights(plan, recipe["model"]) * len(recipe["tokens"]) * len(seeds.split("-"))
            for recipe, seeds in recipes
        ),
    }


def planned_jobs(plan: RunPlan) -> dict[str, int]:
    """Jobs of the report by rule, if nothing has been made yet."""
    files = rows_files(plan)
    row_corpora = {*plan.corpora.needed_of("mixture"), *plan.corpora.needed_of("random_tokens")}
    kinds = Counter(
        plan.corpora.specs[corpus]["source"] if (corpus := path.split("/")[-2]) in row_corpora else "text"
        for path in files
    )
    left_out = set()
    if "loss_collapse" not in plan.analysis.tables:
        left_out |= {"collapse_losses"}
    if not plan.outside.experiments:
        left_out |= {"rank_mixtures"}
    if not plan.training.ngram_summary:
        left_out |= {"collect_ngram_losses"}
    if not plan.alignment.covariates:
        left_out |= {"measure_covariates"}
    if not plan.alignment.curve_tables:
        left_out |= {"weigh_rows"}
    if not plan.alignment.probe_tables:
        left_out |= {"compare_probes"}
    if not plan.config["switches"]:
        left_out |= {"flip_switches", "weigh_switches"}
    if not plan.choosing.sized_sets:
        left_out |= {"measure_sizes"}
    if not plan.config["experiments"]:  # the report is not made
        left_out |= {name for name, rule in RULES.items() if rule.stage in _OF_THE_REPORT}
    ranked = plan.choosing.named("rank")
    compared = len(plan.alignment.metrics) + len(plan.alignment.by_other_probes)
    return {
        "build_corpus": len(plan.corpora.with_documents),
        "tokenize_corpus": kinds["text"],
        "mix_rows": kinds["mixture"],
        "draw_random_rows": kinds["random_tokens"],
        "train_probe": len(plan.probes_used),
        "embed_batches": sum(len(plan.fisher.jobs(estimator)) for estimator in plan.fisher.estimators)
        * len(plan.probes_used)
        + sum(len(plan.fisher.jobs(estimator, CURVE)) for estimator in plan.fisher.estimators)
        * bool(plan.alignment.curves()),
        "align_by_rows": len(plan.alignment.curves()),
        "compare_sets": compared * max(1, len(plan.alignment.blocks)),
        "join_blocks": compared if plan.alignment.blocks else 0,
        "import_losses": len(plan.outside.experiments),
        "mix_alignment": len(plan.outside.alignments) + len(plan.alignment.mixtures_by_other_probes),
        "train_models": len(plan.training.jobs),
        "evaluate_models": len(plan.training.evaluations),
        "score_ngrams": len(plan.training.ngram_jobs),
        "survey_pool": sum(len(plan.choosing.surveyed(question)) for question in ranked),
        **dict.fromkeys(("rank_candidates", "show_ranking"), len(ranked)),
        **dict.fromkeys(("select_rows", "show_selection"), len(plan.choosing.named("select"))),
        **dict.fromkeys(("mix_candidates", "show_mix"), len(plan.choosing.named("mix"))),
        **{name: 1 for name, rule in RULES.items() if rule.once and name not in left_out},
    }


def rows_files(plan: RunPlan) -> list[str]:
    """Every table of token rows that something reads."""
    files = {plan.alignment.rows_of(name) for name in plan.sets.names}
    files |= {
        plan.tokens.of_set(plan.sets.standing_for(name, estimator), plan.fisher.settings(estimator)["layout"])
        for name in plan.sets.names
        for estimator in plan.fisher.estimators
    }
    files |= {
        plan.tokens.rows(name, "train", plan.training.layout(recipe, name))
        for recipe, name, _ in plan.training.jobs
    }
    files |= {plan.tokens.rows(name, "train") for name in plan.corpora.of_probe if plan.uses_probe}
    files |= {path for layout in ("packed", "documents") for path in plan.analysis.switch_rows(layout)}
    files |= set(plan.choosing.sized_rows())
    waiting = list(files)
    while waiting:  # a mixture reads the rows of its parts
        *_, corpus, name = waiting.pop().split("/")
        if plan.corpora.specs[corpus]["source"] == "mixture":
            split, layout, _ = name.split(".")
            for part in plan.corpora.parents(corpus):
                path = plan.tokens.of_set(f"{part}.{split}", layout)
                if path not in files:
                    files.add(path)
                    waiting.append(path)
    return sorted(files)


def text_bytes(plan: RunPlan, name: str) -> float:
    """Bytes of a corpus, as far as its entry says."""
    sample = plan.corpora.specs[plan.corpora.origin(name)].get("sample_bytes")
    return min(read_bytes(plan, name), sample or float("inf"))


def read_bytes(plan: RunPlan, name: str) -> float:
    """Bytes that building a corpus reads; 0 for a mixture or random tokens."""
    spec = plan.corpora.specs[plan.corpora.origin(name)]
    if spec["source"] in ("mixture", "random_tokens"):
        return 0.0
    if "download_mb" in spec:
        return spec["download_mb"] * 1e6
    if "documents" in spec:
        return spec["documents"] * _DOCUMENT
    if spec["source"] == "files":
        return float(expected_bytes(spec))
    return float(largest_bytes(spec) or _UNKNOWN_TEXT)


def model_weights(plan: RunPlan, model: Mapping[str, Any]) -> float:
    """Weights of a model from its settings or its files; pretrained models that are not here count as 124M."""
    if "base" in model:
        return model_weights(plan, plan.config["probe"]["model"])
    if "pretrained" in model:
        return float(count_weights(model["pretrained"])) or 124e6
    settings = model.get("settings", {})
    width = settings.get("n_embd", settings.get("hidden_size", 768))
    layers = settings.get("n_layer", settings.get("num_hidden_layers", 12))
    return float(12 * layers * width**2 + plan.config["tokenizer"]["vocabulary"] * width)


def coordinates(plan: RunPlan) -> float:
    """Coordinates of an embedding: one per token, plus the rows of the body's matrices."""
    return (
        plan.config["tokenizer"]["vocabulary"] + model_weights(plan, plan.config["probe"]["model"]) ** 0.5 * 8
    )


def _passes(plan: RunPlan, estimator: str) -> float:
    """Operations per weight and token: a forward pass, a backward pass per label draw, and the fit of the head."""
    settings = plan.fisher.settings(estimator)
    published = estimator == "published"
    tied = settings.get("tied_head", published)  # then the fit goes through the whole model
    draws = settings.get("label_draws", 1 if published else 4)
    return 2 + 4 * draws + settings["head_epochs"] * (6 if tied else 1)


def _embedded_rows(plan: RunPlan, estimator: str) -> dict[str, int]:
    """Rows behind each embedding, over all batches; fewer if the set is known to have fewer."""
    found = {}
    settings = plan.fisher.settings(estimator)
    for name in plan.sets.names:
        measured = plan.sets.standing_for(name, estimator)
        rows = settings["rows"]
        documents = plan.corpora.specs[SetName.of(measured).corpus].get("documents")
        if settings["fewer_rows"] and documents:
            rows = min(rows, documents)
        found[measured] = rows * settings["batches"]
        if estimator in plan.fisher.of_answers and name in plan.sets.with_answers:
            # The same set has a second name if its pairs are also scored by their answers.
            found[plan.fisher.embedded(name, estimator, ANSWER)] = rows * settings["batches"]
    return found


def _curve_rows(plan: RunPlan, estimator: str) -> dict[str, int]:
    """Rows of each set that a curve embeds in addition to those that are embedded anyway."""
    if not plan.alignment.curves():
        return {}
    settings = plan.fisher.settings(estimator)
    more = (plan.fisher.batches(estimator, CURVE) - settings["batches"]) * settings["rows"]
    names = {plan.sets.standing_for(name, estimator) for side in plan.sets.of_curve for name in side}
    return dict.fromkeys(sorted(names), max(0, more))


def _flipped_tokens(plan: RunPlan) -> float:
    switches = plan.config["switches"]
    if not switches:
        return 0.0
    rows = len(plan.analysis.switch_sets) * switches["batches"] * switches["rows"]
    return float(rows * plan.config["rows"]["length"] * SWITCH_EMBEDDINGS)
