"""The score of a prediction, log p(label), and its gradient with respect to the probe's output."""

from dataclasses import dataclass

import torch

from workflow_scripts.fisher.contributions import HeadGradient, Lookup
from workflow_scripts.fisher.estimator import Estimator
from workflow_scripts.fisher.hardware import positions_of, there, wide
from workflow_scripts.fisher.labels import draw_labels, uniforms
from workflow_scripts.fisher.probe import Probe, padding_token_of
from workflow_scripts.fisher.reading import Reading


@dataclass(frozen=True)
class Scores:
    """The score of each position of some rows, by draw.

    With p = softmax(logits) and the head's weight W, the gradient of log p(y) is onehot(y) - p with respect to the
    logits, and W[y] - p W with respect to the body's output. Drawing and differentiating share one softmax,
    and all draws share p W.
    """

    probe: Probe
    chunk: Reading
    output: torch.Tensor
    is_minibatch: bool
    """True for one square over all rows; their weights then sum to 1."""
    counts: torch.Tensor
    """(draws,): the count by which the squares of this pass are averaged: positions, or one minibatch."""
    at: torch.Tensor
    """(scored,): scored positions, counted along rows and columns."""
    target: torch.Tensor
    """(draws, scored): the labels."""
    weight: torch.Tensor
    """(draws, scored, 1)"""
    probabilities: torch.Tensor | None
    """(scored, vocabulary), for the gradient of a tied head; otherwise None, because they are the largest numbers."""
    expected: torch.Tensor
    """(scored, width): p W, or p if the output is the logits."""

    @torch.no_grad()
    def gradient(self, draw: int) -> torch.Tensor:
        """Gradient of the weighted sum of log p(label), of the output's shape."""
        target = self.target[draw]
        if self.probe.route.is_direct:
            score = self.probe.head.weight[target] - self.expected
        else:
            score = -self.expected
            score[torch.arange(len(target), device=target.device), target] += 1
        # Contiguous, because flattening must give a view.
        gradient = torch.zeros_like(self.output, memory_format=torch.contiguous_format)
        gradient.flatten(0, 1)[self.at] = (score * self.weight[draw]).to(gradient.dtype)
        return gradient

    @torch.no_grad()
    def head_gradient(self, draw: int) -> HeadGradient | None:
        """Gradient with respect to a tied head's weight, per group: (onehot - p)' h. None if it is not needed."""
        if self.probabilities is None:
            return None
        scored_in_rows = self.chunk.is_scored.sum(1).tolist()
        states, weight, target = self.output.flatten(0, 1)[self.at], self.weight[draw], self.target[draw]
        ids = self.chunk.ids
        groups = there(ids.reshape(1 if self.is_minibatch else len(ids), -1), self.probe.device)
        found = HeadGradient(Lookup(groups, len(self.probe.head.weight)))
        start = 0
        for count in [sum(scored_in_rows)] if self.is_minibatch else scored_in_rows:
            inside = slice(start, start + count)
            weighted = states[inside] * weight[inside]
            dense = -(self.probabilities[inside].T @ weighted)
            found.add_group(dense.index_add_(0, target[inside], weighted))
            start += count
        return found


@torch.no_grad()
def score(probe: Probe, chunk: Reading, output: torch.Tensor, estimator: Estimator, seed: int) -> Scores:
    """Draw the labels of some rows, or use the given ones, and prepare the gradients of their scores."""
    device, head, is_direct = probe.device, probe.head, probe.route.is_direct
    scored = chunk.is_scored
    drawn = drawn_positions(scored, estimator) if chunk.labels is None else scored
    drawn_at = positions_of(drawn, device)
    states = output.flatten(0, 1)[drawn_at]
    probabilities = torch.softmax(wide(head(states) if is_direct else states), dim=-1)
    if chunk.labels is None:
        draws = estimator.label_draws
        numbers = torch.from_numpy(uniforms(chunk.names, chunk.ids.shape[1], draws, seed))
        labels = torch.zeros(draws, chunk.ids.numel(), dtype=torch.long, device=device)
        labels[:, drawn_at] = draw_labels(probabilities, there(numbers[drawn], device)).T
        labels = labels.view(draws, *chunk.ids.shape)
    else:
        labels = there(chunk.labels, device)
    target = targets(labels, estimator)
    weights = score_weights(there(scored, device), target, estimator, padding_token_of(probe.model))
    totals = weights.sum((1, 2))
    weights = weights.to(output.dtype)
    is_minibatch = estimator.square == "minibatch"
    if is_minibatch:
        weights = weights / totals.view(-1, 1, 1).clamp(min=1)
    if not torch.equal(drawn, scored):
        probabilities = probabilities[positions_of(scored[drawn], device)]
    at = positions_of(scored, device)
    return Scores(
        probe=probe,
        chunk=chunk,
        output=output,
        is_minibatch=is_minibatch,
        counts=torch.ones_like(totals) if is_minibatch else totals,
        at=at,
        target=target.flatten(1)[:, at],
        weight=weights.flatten(1)[:, at].unsqueeze(-1),
        probabilities=probabilities if probe.is_tied and is_direct else None,
        expected=probabilities @ head.weight if is_direct else probabilities,
    )


def drawn_positions(scored: torch.Tensor, estimator: Estimator) -> torch.Tensor:
    """(rows, length) bool: positions whose prediction is needed, for scoring or for drawing a label."""
    return scored | scored.roll(1, dims=1) if estimator.label_shift else scored


def targets(labels: torch.Tensor, estimator: Estimator) -> torch.Tensor:
    """(..., length) labels aligned with the logits that they score; the last position is never scored."""
    return labels.roll(-1, dims=-1) if estimator.label_shift else labels


def score_weights(
    scored: torch.Tensor, target: torch.Tensor, estimator: Estimator, padding_token: int | None
) -> torch.Tensor:
    """(draws, rows, length): 1 where a label is scored, else 0, for targets of that shape.

    As released, padding is recognised by the value of the label, not by its position. A drawn label that happens
    to be the padding token is therefore left out.
    """
    weights = scored.expand_as(target)
    if estimator.score_padding and padding_token is not None:
        weights = weights & (target != padding_token)
    return weights
