"""The Fisher embedding of a batch of rows: label draws, one pass back through the activations, squares per module."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from workflow_scripts.fisher import head as head_fit
from workflow_scripts.fisher.capture import Capture, Route, body_output, observed, survey
from workflow_scripts.fisher.contributions import HeadGradient, Lookup
from workflow_scripts.fisher.estimator import Estimator
from workflow_scripts.fisher.hardware import positions_of, there, wide
from workflow_scripts.fisher.labels import content_row_ids, draw_labels, uniforms
from workflow_scripts.fisher.scoring import (
    drawn_positions,
    hidden_ends,
    score_weights,
    scored_positions,
    targets,
)

ARITHMETIC = 1
"""Version of the figures: raised when an edit changes them beyond rounding, so that kept results are not reused."""


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
    microbatch: int = 8,
    seed: int = 0,
    row_ids: Sequence[str] | None = None,
    end_of_text: int | None = None,
    answers: torch.Tensor | None = None,
) -> torch.Tensor:
    """The embedding of a batch: the diagonal of the Fisher information, one number per row of each weight.

    `labels` (rows, T) or (draws, rows, T) take the place of drawn ones. Draws depend on `seed` and `row_ids`;
    without row ids, a row goes by its tokens. `end_of_text` is the token that an estimator hides which hides ends;
    None where rows have no such token. `answers` (rows, T) marks tokens: only their predictions are scored, and only
    they are what a head is fitted to, while everything is read. The model comes back as it was given.
    """
    return measure(
        model,
        input_ids,
        attention_mask,
        estimator,
        labels=labels,
        head_epochs=head_epochs,
        microbatch=microbatch,
        seed=seed,
        row_ids=row_ids,
        end_of_text=end_of_text,
        answers=answers,
    ).embedding


def measure(
    model: PreTrainedModel,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor | None,
    estimator: Estimator,
    *,
    labels: torch.Tensor | None = None,
    head_epochs: int = 0,
    microbatch: int = 8,
    seed: int = 0,
    row_ids: Sequence[str] | None = None,
    end_of_text: int | None = None,
    answers: torch.Tensor | None = None,
    route: Route | None = None,
) -> Measurement:
    """`embed`, with the embedding of each draw and the number of scored positions.

    `route` is what `survey(model)` found, to be passed where many batches go through one model.
    """
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
    with _prepared(model, estimator, seed, names), ExitStack() as stack:
        is_hidden = hidden_ends(ids, is_real, estimator, end_of_text)
        answers = None if answers is None else answers.cpu().bool()
        run = _Run(
            model,
            estimator,
            ids,
            is_real,
            is_hidden,
            answers,
            names,
            labels,
            microbatch,
            seed,
            route or survey(model),
        )
        if head_epochs or (run.is_tied_model and not run.is_tied and not run.is_direct):
            stack.enter_context(head_fit.working_head(model, run.is_tied))
        if head_epochs:
            run.fit_head(head_epochs)
        return run.measure()


@contextmanager
def _prepared(
    model: PreTrainedModel, estimator: Estimator, seed: int, names: Sequence[str]
) -> Iterator[None]:
    """Weights frozen, mode and random state set, all put back afterwards."""
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    modes = {module: module.training for module in model.modules()}
    digest = hashlib.sha256("\0".join([str(seed), *names]).encode()).digest()
    try:
        model.requires_grad_(False)
        model.train(estimator.dropout)
        devices = [model.device] if model.device.type == "cuda" else []
        with torch.random.fork_rng(devices, enabled=estimator.dropout):
            if estimator.dropout:
                torch.manual_seed(int.from_bytes(digest[:7], "little"))
            yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_()
        for module, mode in modes.items():
            module.training = mode


class _Run:
    """One batch on its way through one probe.

    Token ids and masks stay on the CPU, where shapes and selections are decided, so that a GPU is never waited for
    before the end of the batch.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        estimator: Estimator,
        ids: torch.Tensor,
        is_real: torch.Tensor,
        is_hidden: torch.Tensor,
        answers: torch.Tensor | None,
        names: list[str],
        labels: torch.Tensor | None,
        microbatch: int,
        seed: int,
        route: Route,
    ):
        self.model, self.estimator, self.microbatch, self.seed = model, estimator, microbatch, seed
        self.device = model.device
        self.ids, self.is_real, self.names, self.labels = ids, is_real & ~is_hidden, names, labels
        self.draws = estimator.label_draws if labels is None else len(labels)
        self.entries = route.entries
        self.formulas, self.generic, self.is_direct = (
            dict(route.formulas),
            list(route.generic),
            route.is_direct,
        )
        padding, end = model.config.pad_token_id, model.config.eos_token_id
        self.padding_token: int | None = (
            padding if padding is not None else end if isinstance(end, int) else None
        )
        tokens = model.get_input_embeddings()
        self.is_tied_model = model.get_output_embeddings().weight is tokens.weight
        self.is_tied = estimator.tied_head and self.is_tied_model
        if self.is_tied and not (
            self.is_direct and all(entry.module is not tokens for entry in self.generic)
        ):
            # The head's share of the shared weight then comes with the gradient of whole passes.
            self.is_direct = False
            self._send_generic(tokens)
        self.answers = answers
        self.scored = scored_positions(is_real, is_hidden, estimator, answers)
        # Padding on the right that is not scored cannot reach a real token: no mask is needed.
        is_right_padded = not (self.is_real[:, 1:] & ~self.is_real[:, :-1]).any()
        self.needs_mask = (estimator.score_padding or not is_right_padded) and not bool(self.is_real.all())

    def _send_generic(self, module: nn.Module) -> None:
        for entry in self.entries:
            if entry.module is module and self.formulas.pop(entry.name, ""):
                self.generic.append(entry)

    def forward(self, rows: torch.Tensor, length: int) -> torch.Tensor:
        """What the score is made from: the body's output, or the logits where they are more than the head of it."""
        ids = there(self.ids[rows, :length], self.device)
        mask = there(self.is_real[rows, :length].long(), self.device) if self.needs_mask else None
        if self.is_direct:
            hidden = body_output(self.model, ids, mask)
            assert hidden is not None
            return hidden
        return self.model(input_ids=ids, attention_mask=mask, use_cache=False).logits

    def length_of(self, rows: torch.Tensor) -> int:
        """Columns that hold something: padding that is not scored is cut off."""
        if self.estimator.score_padding:
            return self.ids.shape[1]
        return max(2, int(self.is_real[rows].any(0).nonzero().max()) + 1) if self.is_real[rows].any() else 2

    def chunks(self) -> list[torch.Tensor]:
        """Rows of each pass: one minibatch where its gradient is squared, else a micro-batch of rows of like length."""
        if self.estimator.square == "minibatch":
            return list(torch.arange(len(self.ids)).split(self.estimator.minibatch))
        order = self.is_real.sum(1).argsort(stable=True)
        return list(order.split(self.microbatch))

    def fit_head(self, epochs: int) -> None:
        """Fit the model's present head on the rows, in a fixed order where the estimator does not depend on order."""
        estimator, model = self.estimator, self.model
        head = model.get_output_embeddings()
        is_label = head_fit.labels_of_head_fit(self.ids, self.is_real, estimator, self.padding_token)
        if self.answers is not None:
            is_label &= self.answers
        order = torch.arange(len(self.ids))
        if estimator.square == "row":
            order = torch.tensor(sorted(range(len(self.names)), key=lambda row: self.names[row]))
        if self.is_tied or estimator.dropout or not self.is_direct:
            mask = self.is_real.long() if self.needs_mask else None
            head_fit.fit_through_model(
                model,
                head,
                self.ids[order],
                None if mask is None else mask[order],
                is_label[order],
                epochs,
                estimator.minibatch,
            )
            return
        features: list[torch.Tensor] = [torch.empty(0)] * len(self.ids)
        with torch.no_grad():
            for rows in self.chunks():
                hidden = self.forward(rows, self.length_of(rows))
                # The state at t predicts token t + 1; labels of column 0 do not exist.
                predicts = is_label[rows, : hidden.shape[1]].roll(-1, dims=1)
                states = hidden.flatten(0, 1)[positions_of(predicts, self.device)]
                by_row = states.split(predicts.sum(1).tolist())
                for row, state in zip(rows.tolist(), by_row, strict=True):
                    features[row] = state
        labels = [there(ids[kept], self.device) for ids, kept in zip(self.ids, is_label, strict=True)]
        head_fit.fit_on_features(
            head, [features[r] for r in order], [labels[r] for r in order], epochs, estimator.minibatch
        )

    def measure(self) -> Measurement:
        """One pass per chunk: forward once, then back once for each draw."""
        estimator = self.estimator
        totals = torch.zeros(
            self.draws, self.entries[-1].coordinates.stop, dtype=torch.float64, device=self.device
        )
        counts = torch.zeros(self.draws, dtype=torch.float64, device=self.device)
        capture = Capture(self.formulas, totals)
        watched = [entry for entry in self.entries if entry.name in self.formulas]
        with torch.enable_grad():
            for rows in self.chunks():
                length = self.length_of(rows)
                capture.groups = 1 if estimator.square == "minibatch" else len(rows)
                with observed(watched, len(rows), capture.observe):
                    output = self.forward(rows, length)
                scores = self.scores(output.detach(), rows, length)
                for draw in range(self.draws):
                    capture.draw = draw
                    capture.head_gradient = (
                        scores.head_gradient(draw) if self.is_tied and self.is_direct else None
                    )
                    output.backward(scores.gradient(draw), retain_graph=draw + 1 < self.draws)
                    counts[draw] += 1 if estimator.square == "minibatch" else scores.weights[draw].sum()
                del output
                if self.generic:
                    self.add_generic(totals, rows, length, scores)
        totals, counts = totals.cpu(), counts.cpu()
        if not counts.all():
            raise ValueError("no position can be scored: no row has two real tokens, or none has an answer")
        return Measurement(
            embedding=(totals.sum(0) / counts.sum()).float(),
            by_draw=(totals / counts.unsqueeze(1)).float(),
            n_scored=int(self.scored.sum()),
        )

    def scores(self, output: torch.Tensor, rows: torch.Tensor, length: int) -> "_Scores":
        """Draw the labels of some rows and hold the gradients of their scores."""
        if self.labels is None:
            numbers = uniforms([self.names[r] for r in rows], length, self.draws, self.seed)
            given = None
        else:
            numbers, given = None, self.labels[:, rows, :length]
        return _Scores(self, output, self.ids[rows, :length], self.scored[rows, :length], numbers, given)

    def add_generic(self, totals: torch.Tensor, rows: torch.Tensor, length: int, scores: "_Scores") -> None:
        """Weights without a formula: plain gradients of one group (row or minibatch) at a time."""
        parameters = [entry.parameter for entry in self.generic]
        groups = [rows] if self.estimator.square == "minibatch" else list(rows.split(1))
        try:
            for parameter in parameters:
                parameter.requires_grad_()
            for g, group in enumerate(groups):
                output = self.forward(group, length)
                for draw in range(self.draws):
                    gradient = scores.gradient(draw)
                    gradient = gradient if len(groups) == 1 else gradient[g : g + 1]
                    found = torch.autograd.grad(
                        output, parameters, gradient, retain_graph=draw + 1 < self.draws, allow_unused=True
                    )
                    for entry, weight_gradient in zip(self.generic, found, strict=True):
                        if weight_gradient is not None:
                            first = entry.coordinates.stop - entry.coordinates.start
                            totals[draw, entry.coordinates] += (
                                weight_gradient.reshape(first, -1).square().mean(1)
                            )
        finally:
            for parameter in parameters:
                parameter.requires_grad_(False)


class _Scores:
    """The score of each position of some rows: labels, weights, and the gradient with respect to the output.

    With p = softmax(logits) and the head's weight W, the gradient of log p(y) is onehot(y) - p with respect to the
    logits, and W[y] - p W with respect to the body's output: drawing and differentiating share one softmax,
    and all draws share p W.
    """

    @torch.no_grad()
    def __init__(
        self,
        run: _Run,
        output: torch.Tensor,
        ids: torch.Tensor,
        scored: torch.Tensor,
        numbers: np.ndarray | None,
        labels: torch.Tensor | None,
    ):
        device = run.device
        self._run, self._output, self._ids, self._scored = run, output, ids, scored
        self._head = run.model.get_output_embeddings()
        drawn = drawn_positions(scored, run.estimator) if labels is None else scored
        self._at = positions_of(scored, device)
        drawn_at = positions_of(drawn, device)
        states = output.flatten(0, 1)[drawn_at]
        logits = self._head(states) if run.is_direct else states
        probabilities = torch.softmax(wide(logits), dim=-1)
        if labels is None:
            assert numbers is not None
            uniform = there(torch.from_numpy(numbers)[drawn], device)
            labels = torch.zeros(run.draws, ids.numel(), dtype=torch.long, device=device)
            labels[:, drawn_at] = draw_labels(probabilities, uniform).T
            labels = labels.view(run.draws, *ids.shape)
        target = targets(there(labels, device), run.estimator)
        weights = score_weights(there(scored, device), target, run.estimator, run.padding_token)
        weights = weights.to(output.dtype)
        if run.estimator.square == "minibatch":
            weights = weights / weights.sum((1, 2), keepdim=True).clamp(min=1)
        self.weights = weights
        self._target = target.flatten(1)[:, self._at]
        self._weight = weights.flatten(1)[:, self._at].unsqueeze(-1)
        if not torch.equal(drawn, scored):
            probabilities = probabilities[positions_of(scored[drawn], device)]
        self._expected = probabilities @ self._head.weight if run.is_direct else probabilities
        self._probabilities = probabilities if run.is_tied and run.is_direct else None

    @torch.no_grad()
    def gradient(self, draw: int) -> torch.Tensor:
        """Gradient of the weighted sum of log p(label), of the output's shape."""
        target = self._target[draw]
        if self._run.is_direct:
            score = self._head.weight[target] - self._expected
        else:
            score = -self._expected
            score[torch.arange(len(target), device=target.device), target] += 1
        # Contiguous, because its flattened form has to be a view of it.
        gradient = torch.zeros_like(self._output, memory_format=torch.contiguous_format)
        gradient.flatten(0, 1)[self._at] = (score * self._weight[draw]).to(gradient.dtype)
        return gradient

    @torch.no_grad()
    def head_gradient(self, draw: int) -> HeadGradient:
        """Gradient with respect to the head's weight, per group: (onehot - p)' h."""
        assert self._probabilities is not None
        is_minibatch = self._run.estimator.square == "minibatch"
        scored_in_rows = self._scored.sum(1).tolist()
        states, weight, target = self._output.flatten(0, 1)[self._at], self._weight[draw], self._target[draw]
        groups = there(self._ids.reshape(1 if is_minibatch else len(self._ids), -1), self._run.device)
        found = HeadGradient(Lookup(groups, len(self._head.weight)))
        start = 0
        for count in [sum(scored_in_rows)] if is_minibatch else scored_in_rows:
            inside = slice(start, start + count)
            weighted = states[inside] * weight[inside]
            dense = -(self._probabilities[inside].T @ weighted)
            found.add_group(dense.index_add_(0, target[inside], weighted))
            start += count
        return found
