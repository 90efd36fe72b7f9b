"""Questions which data to train on: what answers them, and the files of an answer."""

from typing import Any

from workflow_scripts.plan.corpus_graph import CorpusGraph
from workflow_scripts.plan.questions import Question, candidates_of, of_kind, targets_of
from workflow_scripts.plan.shell_options import options
from workflow_scripts.plan.stages.files import RunFiles, SetName
from workflow_scripts.plan.stages.tokens import Tokens
from workflow_scripts.pool.second_scores import SECOND_SCORES


class Choosing:
    def __init__(self, config: dict[str, Any], files: RunFiles, corpora: CorpusGraph, tokens: Tokens):
        self.config = config
        self.root = files.root
        self.corpora = corpora
        self.tokens = tokens

    @property
    def questions(self) -> dict[str, Question]:
        return {question["name"]: question for question in self.config["questions"]}

    def named(self, *kinds: str) -> list[str]:
        """Names of the questions of some kinds."""
        return [question["name"] for question in of_kind(self.config, *kinds)]

    def folder(self, question: str) -> str:
        return f"{self.root}/answers/{question}"

    @property
    def answers(self) -> list[str]:
        """The files of the target `answers`: one page per question."""
        return [f"{self.folder(name)}/index.html" for name in self.questions]

    @property
    def sized_sets(self) -> list[str]:
        """Sets whose tokens are counted: candidates, and targets, which say how many bytes a token has."""
        names = {
            str(SetName(corpus, side))
            for question in self.config["questions"]
            for side, corpora in (("train", candidates_of(question)), ("eval", targets_of(question)))
            for corpus in corpora
        }
        return sorted(names)

    def sized_rows(self) -> list[str]:
        return [self.tokens.of_set(name) for name in self.sized_sets]

    def sized_manifests(self) -> list[str]:
        return sorted(
            {f"{self.root}/corpora/{SetName.of(name).corpus}/manifest.json" for name in self.sized_sets}
        )

    def surveyed(self, question: str) -> list[str]:
        """Candidates whose files are searched for the target's text: those that are read from files."""
        candidates = candidates_of(self.questions[question])
        return [name for name in candidates if self.corpora.specs[name]["source"] == "files"]

    def surveys(self, question: str) -> list[str]:
        return [f"{self.folder(question)}/surveys/{name}.json" for name in self.surveyed(question)]

    def losses(self, question: str) -> list[str]:
        """The losses of short runs that correct a ranking, if there are any."""
        return [f"{self.root}/losses/loss_summary.parquet"] if self.questions[question]["verified_by"] else []

    def runs(self, question: str) -> list[str]:
        """Options that name these runs."""
        experiment = self.questions[question]["verified_by"]
        return ["--losses", *self.losses(question), "--experiment", experiment] if experiment else []

    def target_documents(self, question: str) -> str:
        (target,) = targets_of(self.questions[question])
        return self.tokens.documents(target)

    def pool(self, question: str) -> list[str]:
        """Options that name the entries of a pool of rows."""
        names = self.questions[question]["pool"]
        return options("--pool", names, [self.corpora.spec_json(name) for name in names])

    def scored_by_fisher(self, question: str) -> bool:
        return bool(self.questions[question]["score"] == "fisher")

    def second_score(self, question: str, model: str, tokenizer: str, estimator: str) -> list[str]:
        """Options for ordering a shortlist by the Fisher information of a probe."""
        return [
            *("--second-score", self.questions[question]["score"]),
            *("--model", model, "--tokenizer", tokenizer, "--estimator", estimator),
            *("--length", str(self.config["rows"]["length"])),
            *("--shortlist", str(self.questions[question]["shortlist"])),
            *("--device", self.config["device"]),
        ]

    def score_modules(self, question: str) -> list[str]:
        """Modules that a selection imports by name."""
        score = self.questions[question]["score"]
        return [SECOND_SCORES[score]] if score in SECOND_SCORES else []

    @property
    def uses_probe(self) -> bool:
        """Whether the rows of a pool are scored with the probe."""
        return any(map(self.scored_by_fisher, self.named("select")))

    def pool_files(self, question: str) -> list[str]:
        return [path for name in self.questions[question]["pool"] for path in self.corpora.files_read(name)]

    def summary(self, question: str) -> str:
        """The summary of a selection; its file name includes the format of the rows."""
        return f"{self.folder(question)}/summary.{self.questions[question]['format']}.json"

    def weights(self, question: str) -> list[float]:
        """Weights of the targets, in their order."""
        asked = self.questions[question]
        return [asked["weights"].get(target, 1) for target in asked["targets"]]

    def minimum_shares(self, question: str) -> list[str]:
        shares = self.questions[question]["minimum_shares"]
        return options("--minimum-share", shares, map(str, shares.values()))

    def labels(self, question: str) -> list[str]:
        """Options with the names that the answer uses for corpora."""
        labels = self.questions[question]["labels"]
        return options("--label", labels, labels.values())

    @property
    def metrics(self) -> list[str]:
        """The first one decides."""
        metrics: list[str] = self.config["alignment"]["metrics"]
        return metrics
