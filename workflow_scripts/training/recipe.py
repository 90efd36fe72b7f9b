"""A recipe: all settings of a training run except its data and its seed."""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any, get_args, get_type_hints

from workflow_scripts.errors import UserError

MODEL_FORMS = (
    '{"type": "gpt2", "settings": {...}} (from scratch), {"pretrained": NAME, "revision": null} '
    'or {"base": "probe"}'
)
CHOICES = {
    "layout": ("packed", "documents"),
    "schedule": ("constant", "linear", "cosine"),
    "count": ("real", "padded"),
    "loss": ("whole", "answer"),
    "precision": ("auto", "float32", "bfloat16"),
}
SMALLEST = {
    "epochs": 1,
    "context": 2,
    "batch_rows": 1,
    "gradient_accumulation": 1,
    "warmup_steps": 0,
    "weight_decay": 0,
}
POSITIVE = ("learning_rate", "clip")


@dataclass(frozen=True)
class Recipe:
    """How models are trained. Two runs with equal recipes, rows and seeds end with equal weights."""

    model: dict[str, Any]
    """Architecture with settings (from scratch), the name of pretrained weights, or the workflow's own base."""
    tokens: tuple[int, ...]
    """Budgets: how many unique tokens a training set contributes, exactly; in rising order."""
    layout: str
    """Which token rows are read: `packed`, or `documents` (one right-padded row per document)."""
    epochs: int = 1
    """Number of passes over these tokens."""
    context: int = 128
    """Length of a training row; for packed rows a multiple of the row length (consecutive rows are joined)."""
    batch_rows: int = 16
    """Rows of one optimiser step, over all processes and accumulated micro-batches together."""
    gradient_accumulation: int = 1
    """Micro-batches of one step, to save memory; they change the result only by rounding."""
    learning_rate: float = 1e-3
    """Peak learning rate of AdamW."""
    schedule: str = "constant"
    """Learning rate after the warm-up: `constant`, or falling to zero as `linear` or `cosine`."""
    warmup_steps: int = 20
    """Steps over which the learning rate rises linearly from zero."""
    weight_decay: float = 0.0
    """AdamW's decoupled weight decay; biases and norms are excluded."""
    clip: float | None = 1.0
    """Largest norm of the gradient; null for no clipping."""
    shuffle: bool = True
    """Whether the seed draws which rows are read and in which order; otherwise rows are read in file order."""
    count: str = "real"
    """What a budget counts: `real` tokens, or `padded` ones (rows times row length, as the paper does)."""
    fewer_tokens: bool = False
    """Whether a set smaller than a budget is used whole (as released) instead of being refused."""
    loss: str = "whole"
    """Tokens that count in the loss: `whole` documents, or only the `answer` of pairs."""
    precision: str = "auto"
    """`float32`, `bfloat16` (mixed precision), or `auto`: bfloat16 on GPUs and float32 on CPUs."""
    gradient_checkpointing: bool = False
    """Whether activations are computed again for the backward pass instead of kept: less memory, more time."""
    adapter: dict[str, Any] | None = None
    """Rank and alpha of a LoRA adapter that is trained instead of all weights; null trains all weights."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Recipe":
        """A checked recipe; errors name the key, the value and what is allowed."""
        known = {field.name: field for field in fields(cls)}
        for key in values:
            if key not in known:
                raise UserError(f"recipe: unknown key {key!r}; known are {', '.join(known)}")
        for name, field in known.items():
            if field.default is MISSING and name not in values:
                raise UserError(f"recipe: {name!r} is missing")
        hints = get_type_hints(cls)
        for key, value in values.items():
            if key not in ("model", "tokens", "adapter"):
                _check_value(key, value, hints[key])
        _check_model(values["model"])
        _check_adapter(values.get("adapter"), values["model"])
        return cls(**{**values, "model": dict(values["model"]), "tokens": _checked_budgets(values["tokens"])})

    def to_dict(self) -> dict[str, Any]:
        """The recipe as a JSON object. Settings that came later are left out at their default: keys stay the same."""
        later = {"gradient_checkpointing": False, "adapter": None}
        values = {key: value for key, value in asdict(self).items() if later.get(key, MISSING) != value}
        return {**values, "tokens": list(self.tokens)}

    @property
    def read_at_several_budgets(self) -> bool:
        """Whether one run also gives the models of the smaller budgets.

        With one epoch and a constant learning rate after the warm-up, a run does not depend on where it ends.
        """
        return self.epochs == 1 and self.schedule == "constant"

    def runs(self) -> list["Recipe"]:
        """One recipe per training run: itself, or one per budget if only a run's end gives a model."""
        if self.read_at_several_budgets:
            return [self]
        return [replace(self, tokens=(budget,)) for budget in self.tokens]


def _check_value(key: str, value: Any, hint: Any) -> None:
    if value is None and type(None) in get_args(hint):
        return
    expected = next((kind for kind in get_args(hint) if kind is not type(None)), hint)
    accepted = (int, float) if expected is float else (expected,)
    if not isinstance(value, accepted) or (isinstance(value, bool) and expected is not bool):
        raise UserError(f"recipe: {key} is {value!r}; it must be of type {expected.__name__}")
    if key in CHOICES and value not in CHOICES[key]:
        raise UserError(f"recipe: {key} is {value!r}; allowed are {', '.join(CHOICES[key])}")
    if key in SMALLEST and value < SMALLEST[key]:
        raise UserError(f"recipe: {key} is {value!r}; it must be {SMALLEST[key]} or more")
    if key in POSITIVE and value <= 0:
        raise UserError(f"recipe: {key} is {value!r}; it must be above 0")


def _check_model(model: Any) -> None:
    forms = ({"type", "settings"}, {"type"}, {"pretrained", "revision"}, {"pretrained"}, {"base"})
    if not isinstance(model, Mapping) or set(model) not in forms:
        raise UserError(f"recipe: model is {model!r}; it must be {MODEL_FORMS}")


def _check_adapter(adapter: Any, model: Mapping[str, Any]) -> None:
    if adapter is None:
        return
    if not isinstance(adapter, Mapping) or set(adapter) != {"rank", "alpha"}:
        raise UserError(f"recipe: adapter is {adapter!r}; it must be {{rank: 16, alpha: 32}}, or null")
    rank, alpha = adapter["rank"], adapter["alpha"]
    if not isinstance(rank, int) or isinstance(rank, bool) or rank < 1:
        raise UserError(f"recipe: adapter.rank is {rank!r}; it must be a whole number from 1")
    if not isinstance(alpha, int | float) or isinstance(alpha, bool) or alpha <= 0:
        raise UserError(f"recipe: adapter.alpha is {alpha!r}; it must be above 0")
    if "type" in model:
        raise UserError(
            "recipe: adapter changes weights that are trained, and this model starts from random ones"
        )


def _checked_budgets(tokens: Any) -> tuple[int, ...]:
    usable = isinstance(tokens, list | tuple) and all(
        isinstance(budget, int) and not isinstance(budget, bool) and budget >= 2 for budget in tokens
    )
    if not usable or not tokens or len(set(tokens)) != len(tokens):
        raise UserError(f"recipe: tokens is {tokens!r}; it must be a list of different whole numbers from 2")
    return tuple(sorted(tokens))
