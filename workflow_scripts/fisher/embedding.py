"""The Fisher embedding of a batch of rows: label draws, one backward pass to the activations, squares per module."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from workflow_scripts.errors import UserError
from workflow_scripts.fisher import head as head_fit
from workflow_scripts.fisher.capture import Route, Squares, observed
from workflow_scripts.fisher.estimator import Estimator, Settings
from workflow_scripts.fisher.hardware import DEFAULT_MICROBATCH, arithmetic, positions_of, there
from workflow_scripts.fisher.minibatch_parts import squares_in_parts
from workflow_scripts.fisher.probe import Probe, frozen, has_tied_head, padding_token_of, probe_for
from workflow_scripts.fisher.reading import Batch, Reading, chunk, chunks, read
from workflow_scripts.fisher.scoring import Scores, score

ARITHMETIC = 1
"""Version of the values. Raise it when an edit changes them beyond rounding: stored results are then not reused."""


@dataclass(frozen=True)
class Measurement:
    """The embedding of one batch and what is needed to judge it."""

    embedding: torch.Tensor  # (coordinates,) float32, mean over draws
    by_draw: torch.Tensor  # (draws, coordinates) float32
    n_scored: int  # scored positions


def embed(
    model: PreTrainedModel,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor | None,
    estimator: Estimator,
    *,
    labels: torch.Tensor | None = None,
    head_epochs: int = 0,
    microbatch: int = DEFAULT_MICROBATCH,
    seed: int = 0,
    row_ids: Sequence[str] | None = None,
    end_of_text: int | None = None,
    answers: torch.Tensor | None = None,
) -> torch.Tensor:
    """The embedding of a batch: the diagonal of the Fisher information, one number per row of each weight.

    `labels` (rows, T) or (draws, rows, T) replace drawn ones. Draws depend on `seed` and `row_ids`; without row ids,
    a row is identified by its tokens. `end_of_text` is the token that estimators with hidden ends hide; None if rows
    have no such token. `answers` (rows, T) marks tokens: the probe reads all tokens, but only the marked ones are
    scored and used to fit the head. The model is unchanged afterwards.
    """
    batch = Batch.of(input_ids, attention_mask, row_ids=row_ids, labels=labels, answers=answers)
    settings = Settings(estimator, head_epochs, seed, end_of_text=end_of_text)
    return measure(model, batch, settings, microbatch).embedding


def measure(
    model: PreTrainedModel,
    batch: Batch,
    settings: Settings,
    microbatch: int = DEFAULT_MICROBATCH,
    route: Route | None = None,
) -> Measurement:
    """`embed`, with the embedding of each draw and the number of scored positions.

    `route` is the result of `survey(model)`; pass it if many batches use one model.
    """
    estimator = settings.estimator
    with (
        arithmetic(settings.precision, model.device),
        frozen(model, estimator.dropout, settings.seed, batch.names),
        ExitStack() as stack,
    ):
        reading = read(batch, estimator, settings.end_of_text, padding_token_of(model))
        probe = probe_for(model, estimator, route)
        if reading.needs_mask and not estimator.score_padding and not probe.route.obeys_mask:
            raise UserError(
                f"{type(model).__name__} ignores the attention mask, so it would read the ends of text that this "
                "estimator hides: set hide_ends: false for the estimator, or use another probe"
            )
        passes = chunks(reading, estimator, microbatch)
        is_whole = estimator.square == "row" or microbatch >= min(estimator.minibatch, len(reading.ids))
        # With a separate head, the score cannot reach the embedding through the head.
        is_direct = probe.route.is_direct and is_whole
        is_untied_here = has_tied_head(model) and not probe.is_tied and not is_direct
        if settings.head_epochs or is_untied_here:
            stack.enter_context(head_fit.working_head(model, probe.is_tied))
        if settings.head_epochs:
            _fit_head(probe, reading, passes, settings, microbatch)
        if is_whole:
            totals, counts = _summed_squares(probe, reading, passes, settings)
        else:
            totals, counts = squares_in_parts(probe, reading, passes, settings, microbatch)
    if not counts.all():
        raise ValueError("no position can be scored: no row has two real tokens, or none has an answer")
    return Measurement(
        embedding=(totals.sum(0) / counts.sum()).float(),
        by_draw=(totals / counts.unsqueeze(1)).float(),
        n_scored=int(reading.is_scored.sum()),
    )


def _fit_head(
    probe: Probe, reading: Reading, passes: list[torch.Tensor], settings: Settings, microbatch: int
) -> None:
    """Fit the probe's current head on the rows, in a fixed order if the estimator does not depend on order."""
    estimator, device = settings.estimator, probe.device
    order = torch.arange(len(reading.names))
    if estimator.square == "row":
        order = torch.tensor(sorted(range(len(reading.names)), key=lambda row: reading.names[row]))
    if probe.is_tied or estimator.dropout or not probe.route.is_direct:
        head_fit.fit_through_model(
            probe.model,
            probe.head,
            reading.take(order),
            settings.head_epochs,
            estimator.minibatch,
            microbatch,
        )
        return
    features: list[torch.Tensor] = [torch.empty(0)] * len(reading.ids)
    with torch.no_grad():
        for rows in passes:
            part = chunk(reading, rows, estimator)
            hidden = probe.forward(part)
            # The state at t predicts token t + 1; labels of column 0 do not exist.
            predicts = part.is_fitted.roll(-1, dims=1)
            states = hidden.flatten(0, 1)[positions_of(predicts, device)]
            for row, state in zip(rows.tolist(), states.split(predicts.sum(1).tolist()), strict=True):
                features[row] = state
    labels = [there(ids[kept], device) for ids, kept in zip(reading.ids, reading.is_fitted, strict=True)]
    head_fit.fit_on_features(
        probe.head,
        [features[row] for row in order],
        [labels[row] for row in order],
        settings.head_epochs,
        estimator.minibatch,
    )


def _summed_squares(
    probe: Probe, reading: Reading, passes: list[torch.Tensor], settings: Settings
) -> tuple[torch.Tensor, torch.Tensor]:
    """Squares (draws, coordinates) and their counts (draws,): each pass goes forward once, and back for each draw."""
    estimator, route = settings.estimator, probe.route
    draws = estimator.label_draws if reading.labels is None else len(reading.labels)
    coordinates = route.entries[-1].coordinates.stop
    totals = torch.zeros(draws, coordinates, dtype=torch.float64, device=probe.device)
    counts = torch.zeros(draws, dtype=torch.float64, device=probe.device)
    with torch.enable_grad():
        for rows in passes:
            part = chunk(reading, rows, estimator)
            squares = Squares(route.formulas, totals, 1 if estimator.square == "minibatch" else len(rows))
            with observed(route.by_formula, len(rows), squares.observe):
                output = probe.forward(part)
            scores = score(probe, part, output.detach(), estimator, settings.seed)
            for draw in range(draws if output.requires_grad else 0):  # no gradient: no weight has a formula
                with squares.of_draw(draw, scores.head_gradient(draw)):
                    output.backward(scores.gradient(draw), retain_graph=draw + 1 < draws)
            counts += scores.counts
            del output
            if route.generic:
                _add_generic(totals, probe, part, scores)
    return totals.cpu(), counts.cpu()


def _add_generic(totals: torch.Tensor, probe: Probe, part: Reading, scores: Scores) -> None:
    """Weights without a formula: plain gradients of one group (row or minibatch) at a time."""
    entries = probe.route.generic
    parameters = [entry.parameter for entry in entries]
    size = len(part.ids) if scores.is_minibatch else 1
    draws = len(totals)
    try:
        for parameter in parameters:
            parameter.requires_grad_()
        for start in range(0, len(part.ids), size):
            group = slice(start, start + size)
            output = probe.forward(part.take(torch.arange(len(part.ids))[group]))
            for draw in range(draws if output.requires_grad else 0):  # constant tables have none
                found = torch.autograd.grad(
                    output,
                    parameters,
                    scores.gradient(draw)[group],
                    retain_graph=draw + 1 < draws,
                    allow_unused=True,
                )
                for entry, gradient in zip(entries, found, strict=True):
                    if gradient is not None:
                        first = entry.coordinates.stop - entry.coordinates.start
                        totals[draw, entry.coordinates] += gradient.reshape(first, -1).square().mean(1)
    finally:
        for parameter in parameters:
            parameter.requires_grad_(False)
