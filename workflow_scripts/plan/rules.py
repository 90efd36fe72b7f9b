"""The rules that run programs: the stage of each, the default resources of its jobs, and their start-up time."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """Minutes and MB that are enough for the default run, with room to spare."""

    stage: str
    mem_mb: int = 2000
    runtime: int = 30
    threads: int = 1
    start_up: float = 2.0
    """Seconds of a job in addition to the work that the forecast estimates, measured on a 2-core machine."""
    trains: bool = False
    runs_model: bool = False
    """Its jobs use a GPU if there is one."""
    once: bool = False
    """The rule has one job in a run: it combines other tables, or reads all sets."""


def _of_model(stage: str, start_up: float, runs_model: bool = True, **more: bool) -> Rule:
    """A rule whose jobs hold a model."""
    return Rule(stage, mem_mb=3000, runtime=120, start_up=start_up, runs_model=runs_model, **more)


RULES: dict[str, Rule] = {
    "build_corpus": Rule("corpora", start_up=5.0),
    "make_tokenizer": Rule("tokens", once=True),
    "tokenize_corpus": Rule("tokens"),
    "mix_rows": Rule("tokens"),
    "draw_random_rows": Rule("tokens"),
    "train_probe": _of_model("probe", 8.0, trains=True),
    "embed_batches": _of_model("embeddings", 4.0),
    "compare_sets": _of_model("alignment", 15.0),
    "join_blocks": Rule("alignment"),
    "align_by_rows": _of_model("alignment", 15.0),
    "measure_covariates": _of_model("alignment", 6.0, once=True),
    "collect_alignment": Rule("alignment", once=True),
    "train_models": _of_model("training", 8.0, trains=True),
    "evaluate_models": _of_model("evaluation", 5.0),
    "collect_losses": Rule("evaluation", once=True),
    "score_ngrams": Rule("evaluation", mem_mb=4000),
    "collect_ngram_losses": Rule("evaluation", once=True),
    "import_losses": Rule("outside"),
    "mix_alignment": _of_model("outside", 15.0),
    "rank_mixtures": Rule("outside", threads=2, start_up=60.0, once=True),
    "correlate_losses": Rule("analysis", start_up=10.0, once=True),
    "compare_probes": Rule("analysis", once=True),
    "weigh_rows": Rule("analysis", once=True),
    "choose_data": Rule("analysis", once=True),
    "predict_losses": Rule("analysis", once=True),
    "collapse_losses": Rule("analysis", once=True),
    "measure_exchange_rate": Rule("analysis", once=True),
    "flip_switches": _of_model("switches", 80.0, once=True),
    "weigh_switches": Rule("switches", once=True),
    "analyse_published": Rule("published", once=True),
    "check_one_sentence": _of_model("published", 10.0, runs_model=False),  # one sentence, on the CPU
    "measure_sizes": Rule("choosing", once=True),
    "survey_pool": Rule("choosing", runtime=120, start_up=3.0),
    "rank_candidates": Rule("choosing"),
    "show_ranking": Rule("choosing"),
    "select_rows": Rule("choosing", threads=2, runtime=480, start_up=5.0, runs_model=True),
    "show_selection": Rule("choosing"),
    "mix_candidates": Rule("choosing", start_up=5.0),
    "show_mix": Rule("choosing"),
    "describe_run": Rule("report", once=True),
    "render_report": Rule("report", start_up=15.0, once=True),
}
STAGES = tuple(dict.fromkeys(rule.stage for rule in RULES.values()))
