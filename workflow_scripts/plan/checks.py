"""Reports mistakes in a config that its schema cannot see, each in one line, before any job starts."""

import difflib
from collections.abc import Iterable
from typing import Any

from workflow_scripts.corpora.columns import RowReader
from workflow_scripts.errors import UserError
from workflow_scripts.metrics.registry import metric_class, metric_names
from workflow_scripts.plan.corpus_graph import CorpusGraph
from workflow_scripts.plan.experiments import is_recorded, recorded, trained, training_corpora
from workflow_scripts.plan.models import check_models
from workflow_scripts.plan.question_checks import check_questions
from workflow_scripts.plan.questions import corpora_of, measured, of_kind
from workflow_scripts.plan.resolve import resolved
from workflow_scripts.plan.schema import with_defaults
from workflow_scripts.plan.sources import (
    input_files,
    largest_bytes,
    read_recorded,
    refuse_future_dates,
    shared_domain,
    shared_text,
)
from workflow_scripts.plan.stages.files import SetName

FEWEST_RECORDED = 4
WITHOUT_DOCUMENTS = ("mixture", "random_tokens")


def checked(config: dict[str, Any]) -> dict[str, Any]:
    """The config with its defaults, after every check; a UserError names the key, the value and what is allowed."""
    config = with_defaults(config)
    _check_metrics(config)
    _check_corpora(config)
    _check_rows(config)
    check_models(config)
    _check_experiments(config)
    _check_recorded(config)
    check_questions(config, _one_of, WITHOUT_DOCUMENTS)
    _check_switches(config)
    if not config["only_existing"]:  # the text itself may have been deleted
        _check_files(config)
        _check_disjoint(config)
        _check_sizes(config)
    return resolved(config)


def _one_of(value: str, allowed: Iterable[str], key: str) -> None:
    allowed = sorted(allowed)
    if value not in allowed:
        near = difflib.get_close_matches(value, allowed, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UserError(f"{key} = {value}: unknown name; {hint}known are {', '.join(allowed)}")


def _check_metrics(config: dict[str, Any]) -> None:
    for name in config["alignment"]["metrics"]:
        _one_of(name, metric_names(), "alignment.metrics")
    able = [name for name in config["alignment"]["metrics"] if metric_class(name).answers]
    for name in config["alignment"]["answers"] or []:
        _one_of(name, config["alignment"]["metrics"], "alignment.answers")
        if name not in able:
            raise UserError(
                f"alignment.answers = {name}: it compares whole pairs only; allowed: {', '.join(able)}"
            )
    for rows in config["alignment"]["rows_curve"] or []:
        for name in config["alignment"]["metrics"]:
            _check_curve(config, name, rows)


def _check_curve(config: dict[str, Any], metric: str, rows: int) -> None:
    """The curve pools Fisher embeddings of whole batches, and the batches must have different rows."""
    estimator = metric_class(metric).estimator()
    if estimator is None:
        return
    settings = config["estimators"][estimator]
    per_batch = settings["rows"] or config["alignment"]["rows"]
    if settings["sampling"] == "same":
        raise UserError(
            f"alignment.rows_curve and estimators.{estimator}.sampling = same: batches of the same rows cannot be "
            f"pooled; leave {metric} out of alignment.metrics, or set rows_curve to null"
        )
    if rows % per_batch:
        raise UserError(
            f"alignment.rows_curve = {rows}: {metric} has batches of {per_batch} rows, so it needs a multiple"
        )


def _check_corpora(config: dict[str, Any]) -> None:
    specs = config["corpora"]
    _one_of(config["alignment"]["floor"], specs, "alignment.floor")
    floor = specs[config["alignment"]["floor"]]["source"]
    if floor != "random_tokens":
        raise UserError(
            f"alignment.floor = {config['alignment']['floor']}: its source is {floor}; allowed: random_tokens"
        )
    for key, names in (
        ("tokenizer.corpora", config["tokenizer"]["corpora"]),
        ("probe.corpora", config["probe"]["corpora"]),
    ):
        for name in names:
            _one_of(name, specs, key)
    if not config["tokenizer"]["pretrained"] and not config["tokenizer"]["corpora"]:
        raise UserError(
            "tokenizer.corpora = []: name corpora to train it on, or a tokenizer in tokenizer.pretrained"
        )
    if "pretrained" not in config["probe"]["model"] and not config["probe"]["corpora"]:
        raise UserError(
            "probe.corpora = []: name corpora to train it on, or weights in probe.model.pretrained"
        )
    measures = {"alignment": config["alignment"]}
    measures |= {f"estimators.{name}": estimator for name, estimator in config["estimators"].items()}
    for key, part in measures.items():
        for name, other in part["measured_as"].items():
            _one_of(name, specs, f"{key}.measured_as")
            _one_of(SetName.of(other).corpus, specs, f"{key}.measured_as.{name}")
            if SetName.of(other).side not in ("", "train", "eval") or other.endswith("."):
                raise UserError(f"{key}.measured_as.{name} = {other}: the side must be train or eval")
    for name, spec in specs.items():
        for key in ("base", "fractions", "disjoint_from"):
            for other in [spec[key]] if key == "base" and key in spec else list(spec.get(key, [])):
                _one_of(other, specs, f"corpora.{name}.{key}")
                if other == name:
                    raise UserError(f"corpora.{name}.{key} = {name}: a corpus cannot be made from itself")
                if key != "fractions" and specs[other]["source"] in WITHOUT_DOCUMENTS:
                    raise UserError(
                        f"corpora.{name}.{key} = {other}: a {specs[other]['source']} corpus has no documents"
                    )
        if spec["source"] == "mixture":
            total = sum(spec["fractions"].values())
            if abs(total - 1) > 1e-6:
                raise UserError(f"corpora.{name}.fractions sum to {total:g}: they must sum to 1")
    _check_acyclic(CorpusGraph(config))


def _check_acyclic(graph: CorpusGraph) -> None:
    for start in graph.specs:
        seen, waiting = set(), [start]
        while waiting:
            for parent in graph.parents(waiting.pop()):
                if parent == start:
                    raise UserError(f"corpora.{start}: it is made from itself through other corpora")
                if parent not in seen:
                    seen.add(parent)
                    waiting.append(parent)


def _check_rows(config: dict[str, Any]) -> None:
    length = config["rows"]["length"]
    contexts = {f"recipes.{name}.context": recipe["context"] for name, recipe in config["recipes"].items()}
    contexts["probe.training.context"] = config["probe"]["training"]["context"]
    for key, context in contexts.items():
        if context % length:
            raise UserError(f"{key} = {context}: it must be a multiple of rows.length = {length}")
    for name, recipe in config["recipes"].items():
        own = recipe.get("evaluation", {})
        stride = own.get("stride", config["evaluation"]["stride"])
        if recipe["context"] <= stride:
            key = f"recipes.{name}.evaluation.stride" if "stride" in own else "evaluation.stride"
            raise UserError(
                f"{key} = {stride}: it must be below recipes.{name}.context = {recipe['context']}"
            )
        scored = {**config["evaluation"], **own}
        if scored["piece"] is not None and (scored["layout"] == "packed" or scored["documents"] == "first"):
            key = f"recipes.{name}.evaluation.piece" if "piece" in own else "evaluation.piece"
            raise UserError(
                f"{key} = {scored['piece']}: recipe {name} scores packed text or the first document, which has no "
                "pieces; set piece to null"
            )


def _check_experiments(config: dict[str, Any]) -> None:
    seen: set[str] = set()
    for experiment in config["experiments"]:
        here = f"experiments.{experiment['name']}"
        if experiment["name"] in seen:
            raise UserError(f"{here}: two experiments have this name")
        seen.add(experiment["name"])
        _check_sides_exist(config, experiment, here)
    for experiment in trained(config):
        here = f"experiments.{experiment['name']}"
        _one_of(experiment["recipe"], config["recipes"], f"{here}.recipe")
        budgets = config["recipes"][experiment["recipe"]]["tokens"]
        for tokens in experiment.get("tokens", []):
            if tokens not in budgets:
                raise UserError(
                    f"{here}.tokens = {tokens}: not a budget of its recipe ({', '.join(map(str, budgets))})"
                )
        if experiment["target"] is not None:
            _one_of(experiment["target"], experiment["eval_sets"], f"{here}.target")
        for name in experiment["fractions"] or {}:
            _one_of(name, experiment["train_sets"], f"{here}.fractions")
        if experiment["kind"] == "intervention":
            _check_grid(experiment, here)
        for name, evaluated in experiment["in_domain_for"].items():
            _one_of(name, experiment["train_sets"], f"{here}.in_domain_for")
            for other in evaluated:
                _one_of(other, experiment["eval_sets"], f"{here}.in_domain_for.{name}")


def _check_sides_exist(config: dict[str, Any], experiment: dict[str, Any], here: str) -> None:
    specs, graph = config["corpora"], CorpusGraph(config)
    key = "parts" if is_recorded(experiment) else "train_sets"
    for name in experiment[key]:
        _one_of(name, specs, f"{here}.{key}")
        if graph.held_out(name) >= 1:
            raise UserError(f"{here}.{key} = {name}: held_out is 1, so it has no train side")
    for name in experiment["eval_sets"]:
        _one_of(name, specs, f"{here}.eval_sets")
        if specs[name]["source"] in WITHOUT_DOCUMENTS:
            raise UserError(
                f"{here}.eval_sets = {name}: a {specs[name]['source']} corpus has no documents to evaluate"
            )
        if graph.held_out(name) <= 0:
            raise UserError(f"{here}.eval_sets = {name}: held_out is 0, so it has no eval side")


def _check_recorded(config: dict[str, Any]) -> None:
    """Reads the tables themselves, so a gap in them is reported before the first job."""
    experiments = {experiment["name"]: experiment for experiment in recorded(config)}
    for name, experiment in experiments.items():
        here = f"experiments.{name}"
        named = [("proxies", experiment["proxies"])] if experiment["proxies"] is not None else []
        named += [("sharpen_from", other) for other in experiment["sharpen_from"]]
        for key, other in named:
            _one_of(other, set(experiments) - {name}, f"{here}.{key}")
            for sets in ("parts", "eval_sets"):
                if set(experiment[sets]) != set(experiments[other][sets]):
                    raise UserError(
                        f"{here}.{sets}: they must be the same as those of {other}, which {key} names"
                    )
        sized = [name, *experiment["sharpen_from"]] if experiment["sharpen_from"] else []
        for other in sized:
            if experiments[other]["parameters"] is None:
                raise UserError(f"experiments.{other}.parameters is missing: {here}.sharpen_from needs it")
        for other in experiment["stand_ins"]:
            _one_of(other, experiment["eval_sets"], f"{here}.stand_ins")
        if not config["only_existing"]:
            try:
                losses = read_recorded(experiment).losses
            except UserError as mistake:
                raise UserError(f"{here}: {mistake}") from None
            models = len(losses[["train_set", "tokens"]].drop_duplicates())
            if models < FEWEST_RECORDED:
                raise UserError(
                    f"{here}.losses: the table has {models} models; "
                    f"at least {FEWEST_RECORDED} are needed to rank them"
                )


def _check_grid(experiment: dict[str, Any], here: str) -> None:
    if experiment["target"] is None:
        raise UserError(f"{here}.target is missing: an intervention needs an evaluation corpus")
    unknown = [name for name in experiment["train_sets"] if name not in (experiment["fractions"] or {})]
    if unknown:
        raise UserError(f"{here}.fractions: the share of the target in {unknown[0]} is missing")


def _check_switches(config: dict[str, Any]) -> None:
    """The switch table correlates alignments with the losses of one experiment, so that experiment must exist."""
    if config["switches"] is None:
        return
    experiments = {experiment["name"]: experiment for experiment in trained(config)}
    name = config["switches"]["experiment"]
    if name not in experiments:
        raise UserError(
            f"switches.experiment = {name}: unknown experiment; name one of {', '.join(experiments)}, "
            "or set `switches: null` to leave out the table of switches"
        )
    experiment = experiments[name]
    for key in ("train_sets", "eval_sets"):
        for name in config["switches"][key]:
            _one_of(name, experiment[key], f"switches.{key}")


def _check_files(config: dict[str, Any]) -> None:
    graph = CorpusGraph(config)
    for name in graph.needed:
        try:
            refuse_future_dates(input_files(graph.specs[name]))
        except UserError as mistake:
            raise UserError(f"corpora.{name}.paths: {mistake}") from None
        if graph.specs[name]["source"] in ("files", "hub"):
            RowReader(graph.specs[name], f"corpora.{name}")


def _check_disjoint(config: dict[str, Any]) -> None:
    """No text may be on both a train side and an eval side, and the probe must have seen neither."""
    graph = CorpusGraph(config)
    sides, used = [], set()
    verifying = {question["verified_by"] for question in of_kind(config, "rank")}
    for experiment in config["experiments"]:
        train = {origin for name in training_corpora(experiment) for origin in _origins(graph, name)}
        evaluated = {origin for name in experiment["eval_sets"] for origin in _origins(graph, name)}
        sides.append((train, evaluated))
        # Short runs compare candidates with each other. A tokenizer trained on all of them favours none.
        used |= set() if experiment["name"] in verifying else train | evaluated
    for key, names in (("tokenizer.corpora", graph.of_tokenizer), ("probe.corpora", graph.of_probe)):
        for name in names:
            for other in sorted(used):
                shared = shared_domain(graph.specs[graph.origin(name)], graph.specs[other])
                if graph.origin(name) == other or shared:
                    raise UserError(
                        f"{key} = {name}: it shares {shared or 'its documents'} with {other}, which an experiment "
                        "uses; the probe and the tokenizer must not have seen it"
                    )
    for train, evaluated in sides:
        for one in sorted(train):
            for other in sorted(evaluated - {one}):
                _check_sides(graph, one, other)


def _check_sides(graph: CorpusGraph, trained: str, evaluated: str) -> None:
    """A hash of the source object decides its side, so corpora that share text agree only if `held_out` is equal."""
    shared = shared_text(graph.specs[trained], graph.specs[evaluated])
    if shared and graph.held_out(trained) != graph.held_out(evaluated):
        raise UserError(
            f"corpora.{evaluated}.held_out = {graph.held_out(evaluated):g}: it is evaluated and shares {shared} with "
            f"{trained}, which is trained on; give both the same held_out ({trained} has "
            f"{graph.held_out(trained):g}) or different sources"
        )


def _origins(graph: CorpusGraph, name: str) -> set[str]:
    """The corpora whose documents a corpus is made from; none for random tokens."""
    if graph.specs[name]["source"] == "mixture":
        return {origin for parent in graph.parents(name) for origin in _origins(graph, parent)}
    origin = graph.origin(name)
    return set() if graph.specs[origin]["source"] == "random_tokens" else {origin}


def _check_sizes(config: dict[str, Any]) -> None:
    """A token is at least one byte, so a corpus with fewer bytes than the tokens that a stage needs is refused."""
    graph = CorpusGraph(config)
    length, settings = config["rows"]["length"], config["alignment"]
    batches = settings["batches"]
    rows = 1 if settings["fewer_rows"] else settings["rows"]
    for_batches = batches * rows * length
    measured_corpora = [name for experiment in config["experiments"] for name in training_corpora(experiment)]
    measured_corpora += sorted(corpora_of(measured(config)))
    measured_corpora += [name for experiment in config["experiments"] for name in experiment["eval_sets"]]
    sizes = {}
    for name in dict.fromkeys(measured_corpora):
        standing = SetName.of(settings["measured_as"].get(name, name)).corpus
        sizes[name] = most, unit = _at_most(graph.specs[graph.origin(standing)], length)
        if most is not None and most < for_batches:
            raise UserError(
                f"alignment.batches x alignment.rows x rows.length = {batches} x {rows} x {length}"
                f": this needs more tokens than corpora.{standing} has (at most {most} {unit})"
            )
    for experiment in trained(config):
        budget = _largest_budget(config, experiment)
        for name in experiment["train_sets"]:
            most, unit = sizes[name]
            if most is not None and most < budget:
                raise UserError(
                    f"experiments.{experiment['name']}: a budget of {budget} tokens is more than corpora.{name} "
                    f"has (at most {most} {unit})"
                )


def _at_most(spec: dict[str, Any], length: int) -> tuple[int | None, str]:
    """An upper bound on the size of a corpus, and its unit; None where only reading the corpus would give one."""
    if spec["source"] == "random_tokens":
        return spec["rows"] * length, "tokens"
    return largest_bytes(spec), "bytes"


def _largest_budget(config: dict[str, Any], experiment: dict[str, Any]) -> int:
    return max(experiment.get("tokens") or config["recipes"][experiment["recipe"]]["tokens"])
