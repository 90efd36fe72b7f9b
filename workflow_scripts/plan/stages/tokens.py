"""The tokenizer, and documents as rows of tokens."""

from typing import Any

from workflow_scripts.plan.stages.files import RunFiles, SetName


class Tokens:
    def __init__(self, config: dict[str, Any], files: RunFiles):
        self.config = config
        self.root = files.root

    @property
    def tokenizer_source(self) -> list[str]:
        """Options that name a pretrained tokenizer; none when it is trained."""
        settings = self.config["tokenizer"]
        if not settings["pretrained"]:
            return []
        revision = ["--revision", settings["revision"]] if settings["revision"] else []
        return ["--pretrained", settings["pretrained"], *revision]

    def documents(self, corpus: str) -> str:
        return f"{self.root}/corpora/{corpus}/documents.parquet"

    def rows(self, corpus: str, split: str, layout: str = "packed") -> str:
        return f"{self.root}/tokens/{corpus}/{split}.{layout}.parquet"

    def of_set(self, set_name: str, layout: str = "packed") -> str:
        """Rows of a set in a layout; random tokens fill whole rows, whatever the layout."""
        name = SetName.of(set_name)
        is_random = self.config["corpora"][name.corpus]["source"] == "random_tokens"
        return self.rows(name.corpus, name.side, "packed" if is_random else layout)

    @property
    def mix_unit(self) -> int:
        """Rows of one corpus that stay together in a mixture; they span the longest training context of the run."""
        longest = max(recipe["context"] for recipe in self.config["recipes"].values())
        return longest // self.config["rows"]["length"]
