"""The two sorts of experiments: models that the workflow trains, and losses that were measured elsewhere."""

from collections.abc import Mapping
from typing import Any


def is_recorded(experiment: Mapping[str, Any]) -> bool:
    """Whether its losses come from a table instead of training."""
    return experiment["kind"] == "recorded"


def trained(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [experiment for experiment in config["experiments"] if not is_recorded(experiment)]


def recorded(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [experiment for experiment in config["experiments"] if is_recorded(experiment)]


def training_corpora(experiment: Mapping[str, Any]) -> list[str]:
    """Corpora whose train sides it reads: its training sets, or the components of recorded mixtures."""
    return experiment["parts"] if is_recorded(experiment) else experiment["train_sets"]
