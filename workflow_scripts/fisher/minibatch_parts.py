"""The released square of a minibatch that does not fit into memory: gradients of its parts are summed, then squared.

    square(j) = ((sum over parts of the gradient of sum of log p(label))_j / number of labels)^2

Plain autograd, because a sum of squares by formula needs the whole minibatch at once. Without dropout the result is
that of the whole minibatch; with dropout, the parts draw other masks.
"""

from dataclasses import replace

import torch

from workflow_scripts.fisher.estimator import Settings
from workflow_scripts.fisher.probe import Probe
from workflow_scripts.fisher.reading import Reading, chunk
from workflow_scripts.fisher.scoring import score


def squares_in_parts(
    probe: Probe, reading: Reading, minibatches: list[torch.Tensor], settings: Settings, microbatch: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Squares (draws, coordinates) of the minibatches and their number (draws,)."""
    estimator, entries = settings.estimator, probe.route.entries
    # Through the whole model, so that autograd adds what reaches a tied weight through the head.
    probe = replace(probe, route=replace(probe.route, formulas={}, generic=entries, is_direct=False))
    parameters = [entry.parameter for entry in entries]
    draws = estimator.label_draws if reading.labels is None else len(reading.labels)
    squares = torch.zeros(draws, entries[-1].coordinates.stop, dtype=torch.float64, device=probe.device)
    try:
        for parameter in parameters:
            parameter.requires_grad_()
        for rows in minibatches:
            sums = [[torch.zeros_like(parameter) for parameter in parameters] for _ in range(draws)]
            labels = torch.zeros(draws, dtype=torch.float64, device=probe.device)
            for part in rows.split(microbatch):
                labels += _add_gradients(sums, probe, chunk(reading, part, estimator), parameters, settings)
            for draw, gradients in enumerate(sums):
                for entry, gradient in zip(entries, gradients, strict=True):
                    first = entry.coordinates.stop - entry.coordinates.start
                    mean = gradient.reshape(first, -1) / labels[draw].clamp(min=1)
                    squares[draw, entry.coordinates] += mean.square().mean(1)
    finally:
        for parameter in parameters:
            parameter.requires_grad_(False)
    return squares.cpu(), torch.full((draws,), float(len(minibatches)), dtype=torch.float64)


def _add_gradients(
    sums: list[list[torch.Tensor]],
    probe: Probe,
    part: Reading,
    parameters: list[torch.nn.Parameter],
    settings: Settings,
) -> torch.Tensor:
    """Add the gradient of each draw's sum of log p(label) to `sums`; returns the number of labels (draws,)."""
    with torch.enable_grad():
        output = probe.forward(part)
    scores = score(probe, part, output.detach(), replace(settings.estimator, square="row"), settings.seed)
    for draw, gradients in enumerate(sums):
        found = torch.autograd.grad(
            output,
            parameters,
            scores.gradient(draw),
            retain_graph=draw + 1 < len(sums),
            allow_unused=True,
        )
        for gradient, new in zip(gradients, found, strict=True):
            if new is not None:
                gradient += new
    return scores.counts
