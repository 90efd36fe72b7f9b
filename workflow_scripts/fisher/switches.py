"""The released and the corrected estimator, and variants of each with one decision taken from the other.

There are two ends. `published` is the released estimator on one padded document per row, with an absolute epsilon in
the distance. `corrected` is the corrected estimator on packed rows, with the relative distance. A variant is an end,
or an end with one switch set as in the other end. Both ends fit the head and compare disjoint batches; the switch
`same_batches` gives every batch the rows of the first one, as released. Active dropout has the rate 0.1, as in GPT-2,
whatever rate the probe was trained with.
"""

import copy
import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from workflow_scripts.fisher.estimator import Estimator

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Layout = Literal["packed", "documents"]
End = Literal["published", "corrected"]

# A field with the same value at both ends is no switch.
OF_THE_ESTIMATOR = tuple(
    field.name
    for field in dataclasses.fields(Estimator)
    if getattr(Estimator.published(), field.name) != getattr(Estimator.corrected(), field.name)
)
RELEASED_EPSILON = 1e-8
RELEASED_DROPOUT = 0.1


@dataclass(frozen=True)
class Embedded:
    """Everything that a variant's embeddings depend on, except the probe and the draw of batches."""

    estimator: Estimator
    layout: Layout
    same_batches: bool = False


@dataclass(frozen=True)
class Variant:
    """An end, or an end with one switch flipped."""

    end: End
    embedded: Embedded
    epsilon: float | None
    switch: str | None = None

    @property
    def is_corrected(self) -> bool:
        """Whether the switch has the corrected end's value; both ends have disjoint batches."""
        if self.switch == "same_batches":
            return False
        return (self.end == "published") == (self.switch is not None)

    @property
    def name(self) -> str:
        return f"{self.end}.{self.switch}" if self.switch else self.end


def variants() -> list[Variant]:
    """Both ends, each followed by all its flips."""
    published = Variant("published", Embedded(Estimator.published(), "documents"), RELEASED_EPSILON)
    corrected = Variant("corrected", Embedded(Estimator.corrected(), "packed"), None)
    found = []
    for end, other in ((published, corrected), (corrected, published)):
        found.append(end)
        for field in OF_THE_ESTIMATOR:
            value = getattr(other.embedded.estimator, field)
            estimator = dataclasses.replace(end.embedded.estimator, **{field: value})
            embedded = dataclasses.replace(end.embedded, estimator=estimator)
            found.append(dataclasses.replace(end, switch=field, embedded=embedded))
        embedded = dataclasses.replace(end.embedded, layout=other.embedded.layout)
        found.append(dataclasses.replace(end, switch="layout", embedded=embedded))
        found.append(dataclasses.replace(end, switch="epsilon", epsilon=other.epsilon))
        embedded = dataclasses.replace(end.embedded, same_batches=True)
        found.append(dataclasses.replace(end, switch="same_batches", embedded=embedded))
    return found


def with_released_dropout(probe: "PreTrainedModel") -> "PreTrainedModel":
    """The probe with GPT-2's dropout, as released; it is active only if the estimator asks for it."""
    from transformers import AutoModelForCausalLM

    config = copy.deepcopy(probe.config)
    for name, value in config.to_dict().items():
        if name.endswith(("pdrop", "dropout")) and isinstance(value, int | float):
            setattr(config, name, RELEASED_DROPOUT)
    model: Any = AutoModelForCausalLM.from_config(config, dtype=probe.dtype)
    model.load_state_dict(probe.state_dict())
    return model.to(probe.device)


def notes(model: "PreTrainedModel", rows_per_batch: int) -> dict[tuple[str | None, Layout], str]:
    """Notes for the reader about a switch on rows of a layout."""
    from torch import nn

    found: dict[tuple[str | None, Layout], str] = {
        ("score_padding", "packed"): (
            "packed rows have no padding: only drawn labels that equal the padding token are left out"
        )
    }
    both: tuple[Layout, Layout] = ("packed", "documents")
    tokens: Any = model.get_input_embeddings()
    head: Any = model.get_output_embeddings()
    if head.weight is not tokens.weight:
        found |= {
            ("tied_head", layout): "the probe's head is not tied to its input embedding" for layout in both
        }
    if not any(isinstance(module, nn.Dropout) for module in model.modules()):
        found |= {("dropout", layout): "the probe has no dropout" for layout in both}
    minibatch = Estimator.published().minibatch
    if rows_per_batch <= minibatch:
        one = f"a batch of {rows_per_batch} rows is one minibatch"
        found |= {("square", layout): one for layout in both}
    return found
