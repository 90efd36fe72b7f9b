"""Which positions are scored, with which label, and with which weight."""

import torch

from workflow_scripts.fisher.estimator import Estimator


def hidden_ends(
    ids: torch.Tensor, is_real: torch.Tensor, estimator: Estimator, end_of_text: int | None
) -> torch.Tensor:
    """(rows, length) bool: ends of text that the probe must not see. Padding has the same token, and is no end."""
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

    Neither a hidden end is scored nor the position before it. With `answers` (rows, length), the next position must be
    one of them.
    """
    scored = torch.ones_like(is_real) if estimator.score_padding else is_real & is_real.roll(-1, dims=1)
    scored = scored & ~(is_hidden | is_hidden.roll(-1, dims=1))
    if answers is not None:
        scored &= answers.roll(-1, dims=1)
    scored[:, -1] = False
    return scored


def drawn_positions(scored: torch.Tensor, estimator: Estimator) -> torch.Tensor:
    """(rows, length) bool: where a prediction is needed, either to be scored or to draw a label from."""
    return scored | scored.roll(1, dims=1) if estimator.label_shift else scored


def targets(labels: torch.Tensor, estimator: Estimator) -> torch.Tensor:
    """(..., length) labels aligned with the logits that they score; the last position is never scored."""
    return labels.roll(-1, dims=-1) if estimator.label_shift else labels


def score_weights(
    scored: torch.Tensor, target: torch.Tensor, estimator: Estimator, padding_token: int | None
) -> torch.Tensor:
    """(draws, rows, length): 1 where a label is scored, else 0, for targets of that shape.

    As released, padding is told by the value of the label and not by its place, so that a drawn label
    that happens to be the padding token is left out.
    """
    weights = scored.expand_as(target)
    if estimator.score_padding and padding_token is not None:
        weights = weights & (target != padding_token)
    return weights
