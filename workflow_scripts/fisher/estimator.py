"""Estimators of the embedding: the released algorithm, the corrected one, and everything between them."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from workflow_scripts.errors import UserError


@dataclass(frozen=True)
class Estimator:
    """One field per decision in which the released estimator and the corrected one differ.

    Two differences are not fields: epsilon belongs to the distance, and whether batches share rows to the sampler.
    """

    label_shift: bool
    """Score the logits of position t with the label drawn at t+1 (released) instead of the one drawn at t."""
    score_padding: bool
    """Score padding positions, and leave out only labels that equal the padding token (released),
    instead of scoring exactly the positions whose next token is real."""
    square: Literal["minibatch", "row"]
    """Square the gradient of a minibatch's mean loss (released) or the gradient of each row's sum."""
    tied_head: bool
    """Keep the output head tied to the input embedding, in the head fit and in the Fisher pass (released)."""
    dropout: bool
    """Run the head fit and the Fisher pass in training mode (released)."""
    hide_ends: bool
    """Hide the ends of texts from the probe instead of letting it read them (released): no position attends to
    one, and neither it nor the position before it is scored. They mark where documents were joined, and do not
    belong to their content."""
    label_draws: int = 1
    """Labels drawn at each position."""
    minibatch: int = 8
    """Rows of one step of the head fit, and of one square where `square` is "minibatch"."""

    def __post_init__(self) -> None:
        for field in ("label_shift", "score_padding", "tied_head", "dropout", "hide_ends"):
            if not isinstance(getattr(self, field), bool):
                raise UserError(f"estimator: {field} is {getattr(self, field)!r}; allowed are true and false")
        if self.square not in ("minibatch", "row"):
            raise UserError(f"estimator: square is {self.square!r}; allowed are 'minibatch' and 'row'")
        for field in ("label_draws", "minibatch"):
            value = getattr(self, field)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UserError(f"estimator: {field} is {value!r}; allowed are whole numbers from 1")

    @classmethod
    def published(cls) -> "Estimator":
        """The estimator as released with arXiv 2306.13840."""
        return cls(
            label_shift=True,
            score_padding=True,
            square="minibatch",
            tied_head=True,
            dropout=True,
            hide_ends=False,
        )

    @classmethod
    def corrected(cls) -> "Estimator":
        """The diagonal of the Fisher information per token, one square per row."""
        return cls(
            label_shift=False,
            score_padding=False,
            square="row",
            tied_head=False,
            dropout=False,
            hide_ends=True,
            label_draws=4,
        )

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> "Estimator":
        """`{"name": "published" | "corrected", <field>: <value>, ...}`: a named estimator with fields overridden."""
        named = {"published": cls.published, "corrected": cls.corrected}
        name = options.get("name")
        if name not in named:
            raise UserError(f"estimator: name is {name!r}; allowed are {', '.join(map(repr, named))}")
        fields = [field.name for field in dataclasses.fields(cls)]
        unknown = [key for key in options if key != "name" and key not in fields]
        if unknown:
            raise UserError(f"estimator: {unknown[0]!r} is not a field; allowed are {', '.join(fields)}")
        return dataclasses.replace(named[name](), **{key: options[key] for key in options if key != "name"})


@dataclass(frozen=True)
class Settings:
    """Everything that an embedding depends on, except the probe and the rows."""

    estimator: Estimator
    head_epochs: int = 0
    """Epochs of fitting the output head."""
    seed: int = 0
    """Seed of label draws and dropout."""
    precision: str = "float32"
    end_of_text: int | None = None
    """The token that estimators with hidden ends hide; None if rows have no such token."""
