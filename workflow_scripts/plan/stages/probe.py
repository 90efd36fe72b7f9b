"""The model whose Fisher information is the embedding."""

from functools import cached_property
from typing import Any

from workflow_scripts.plan.stages.files import RunFiles, one_line


class Probe:
    def __init__(self, config: dict[str, Any], files: RunFiles):
        self.settings = config["probe"]
        self.root = files.root

    @cached_property
    def names(self) -> list[str]:
        if "pretrained" in self.settings["model"]:
            return ["pretrained"]
        return [f"seed-{seed}" for seed in self.settings["seeds"]]

    @property
    def first(self) -> str:
        """The probe whose alignments are reported as the measures' values, and from which fine-tuning starts."""
        return self.names[0]

    def folder_of(self, probe: str) -> str:
        return f"{self.root}/probe/{probe}"

    def weights_of(self, probe: str) -> str:
        return f"{self.folder_of(probe)}/model.safetensors"

    @property
    def weights(self) -> str:
        """Weights of the first probe."""
        return self.weights_of(self.first)

    def seed(self, probe: str) -> int:
        """Seed in the name of a probe; 0 for a pretrained one, which has no seed."""
        return int(probe.removeprefix("seed-")) if probe in self.names and probe != "pretrained" else 0

    @property
    def model_json(self) -> str:
        return one_line(self.settings["model"])

    @property
    def training_json(self) -> str:
        """How the probe is trained, apart from its corpora and tokens."""
        return one_line(self.settings["training"])

    @property
    def one_sentence_model(self) -> list[str]:
        """Options that name a model to use instead of GPT-2; none unless the probe is pretrained."""
        model = self.settings["model"]
        revision = ["--revision", model["revision"]] if model.get("revision") else []
        return ["--model", model["pretrained"], *revision] if "pretrained" in model else []
