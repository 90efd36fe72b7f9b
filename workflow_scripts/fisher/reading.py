"""A batch of rows, and the tokens that an estimator reads, scores and fits."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from workflow_scripts.fisher.estimator import Estimator
from workflow_scripts.fisher.labels import content_row_ids


@dataclass(frozen=True)
class Batch:
    """Rows of token ids, on the CPU."""

    ids: torch.Tensor
    """(rows, length)"""
    is_real: torch.Tensor
    """(rows, length) bool: not padding."""
    names: list[str]
    """Ids of the rows: label draws depend on them."""
    labels: torch.Tensor | None
    """(draws, rows, length): labels that replace drawn ones."""
    answers: torch.Tensor | None
    """(rows, length) bool: the tokens whose predictions are scored and to which a head is fitted; None for all."""

    @classmethod
    def of(
        cls,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        *,
        row_ids: Sequence[str] | None = None,
        labels: torch.Tensor | None = None,
        answers: torch.Tensor | None = None,
    ) -> "Batch":
        """`labels` is (rows, length) or (draws, rows, length). Without row ids, a row is identified by its tokens."""
        ids = input_ids.to("cpu", torch.long)
        is_real = torch.ones_like(ids, dtype=torch.bool)
        if attention_mask is not None:
            is_real = attention_mask.cpu().bool()
        names = list(row_ids) if row_ids is not None else content_row_ids(ids, is_real)
        if len(names) != len(ids):
            raise ValueError(f"{len(ids)} rows have {len(names)} row ids")
        if labels is not None:
            labels = labels.to("cpu", torch.long)
            labels = labels if labels.dim() == 3 else labels.unsqueeze(0)
        return cls(ids, is_real, names, labels, None if answers is None else answers.cpu().bool())


@dataclass(frozen=True)
class Reading:
    """Rows as an estimator reads them.

    Ids and masks stay on the CPU, where shapes and selections are decided. So the CPU waits for a GPU only at the end
    of a batch.
    """

    ids: torch.Tensor
    """(rows, length)"""
    is_seen: torch.Tensor
    """(rows, length) bool: neither padding nor a hidden end."""
    is_scored: torch.Tensor
    """(rows, length) bool: the prediction at this position is scored."""
    is_fitted: torch.Tensor
    """(rows, length) bool: the head learns to predict this token."""
    names: list[str]
    labels: torch.Tensor | None
    needs_mask: bool
    """False if no token that is read can attend to padding or to a hidden end."""

    def take(self, rows: torch.Tensor, length: int | None = None) -> "Reading":
        """Some of the rows, and their first columns."""
        return Reading(
            self.ids[rows, :length],
            self.is_seen[rows, :length],
            self.is_scored[rows, :length],
            self.is_fitted[rows, :length],
            [self.names[row] for row in rows.tolist()],
            None if self.labels is None else self.labels[:, rows, :length],
            self.needs_mask,
        )

    @property
    def attention_mask(self) -> torch.Tensor | None:
        return self.is_seen.long() if self.needs_mask else None


def read(batch: Batch, estimator: Estimator, end_of_text: int | None, padding_token: int | None) -> Reading:
    """The tokens of a batch that `estimator` reads, scores and fits."""
    is_hidden = hidden_ends(batch.ids, batch.is_real, estimator, end_of_text)
    is_seen = batch.is_real & ~is_hidden
    is_fitted = fitted_tokens(batch.ids, is_seen, estimator, padding_token)
    if batch.answers is not None:
        is_fitted &= batch.answers
    # Unscored padding on the right cannot influence a real token, so no mask is needed.
    is_right_padded = not (is_seen[:, 1:] & ~is_seen[:, :-1]).any()
    return Reading(
        ids=batch.ids,
        is_seen=is_seen,
        is_scored=scored_positions(batch.is_real, is_hidden, estimator, batch.answers),
        is_fitted=is_fitted,
        names=batch.names,
        labels=batch.labels,
        needs_mask=(estimator.score_padding or not is_right_padded) and not bool(is_seen.all()),
    )


def chunks(reading: Reading, estimator: Estimator, microbatch: int) -> list[torch.Tensor]:
    """Rows of each pass: a minibatch if its gradient is squared, else a micro-batch of rows of similar length."""
    if estimator.square == "minibatch":
        return list(torch.arange(len(reading.ids)).split(estimator.minibatch))
    return list(reading.is_seen.sum(1).argsort(stable=True).split(microbatch))


def chunk(reading: Reading, rows: torch.Tensor, estimator: Estimator) -> Reading:
    """The rows of a pass; columns with only padding are cut off unless padding is scored."""
    if estimator.score_padding:
        return reading.take(rows)
    columns = reading.is_seen[rows].any(0).nonzero()
    return reading.take(rows, max(2, int(columns.max()) + 1) if len(columns) else 2)


def hidden_ends(
    ids: torch.Tensor, is_real: torch.Tensor, estimator: Estimator, end_of_text: int | None
) -> torch.Tensor:
    """(rows, length) bool: ends of text that the probe must not see. Padding has the same token, but is not an end."""
    if not estimator.hide_ends or end_of_text is None:
        return torch.zeros_like(is_real)
    return is_real & (ids == end_of_text)


def scored_positions(
    is_real: torch.Tensor,
    is_hidden: torch.Tensor,
    estimator: Estimator,
    answers: torch.Tensor | None = None,
) -> torch.Tensor:
    """(rows, length) bool: the next position exists and, unless padding is scored, is a real token.

    A hidden end and the position before it are not scored. With `answers` (rows, length), the next position must also
    be one of them.
    """
    scored = torch.ones_like(is_real) if estimator.score_padding else is_real & is_real.roll(-1, dims=1)
    scored = scored & ~(is_hidden | is_hidden.roll(-1, dims=1))
    if answers is not None:
        scored &= answers.roll(-1, dims=1)
    scored[:, -1] = False
    return scored


def fitted_tokens(
    ids: torch.Tensor, is_seen: torch.Tensor, estimator: Estimator, padding_token: int | None
) -> torch.Tensor:
    """(rows, length) bool: the tokens that the head learns to predict."""
    if not estimator.score_padding:
        is_fitted = is_seen & is_seen.roll(1, dims=1)
    elif padding_token is None:
        is_fitted = torch.ones_like(is_seen)
    else:
        is_fitted = ids != padding_token
    is_fitted[:, 0] = False
    return is_fitted
