"""Speed and memory of our embedding engine, compared with a plain pass and other ways to compute the same squares."""

from dataclasses import replace
from typing import Any

import torch
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import PreTrainedModel

from benchmarks.gpu.bench import EMBEDDING_SHAPES as SHAPES
from benchmarks.gpu.bench import END, Bench, Work
from workflow_scripts.fisher.capture import survey
from workflow_scripts.fisher.embedding import measure
from workflow_scripts.fisher.estimator import Estimator, Settings
from workflow_scripts.fisher.hardware import arithmetic
from workflow_scripts.fisher.reading import Batch

PRECISIONS = ("float32", "tf32", "bfloat16")
TOKENS_BETWEEN_ENDS = 300
ROWS_BY_ROW = 4
"""Rows on which the methods that process one row at a time are timed."""
HUNDRED_MILLION = 100_000_000
REPEATS = 5


def throughput(bench: Bench) -> dict[str, Any]:
    """Tokens per second by shape, row length and precision, with the ratios that have a required value."""
    found: dict[str, Any] = {}
    cases = len(SHAPES[bench.size]) * len(bench.lengths)
    for name, shape in SHAPES[bench.size].items():
        if not bench.has_time(name):
            continue
        model = bench.model(shape)
        found[name] = {"parameters": sum(parameter.numel() for parameter in model.parameters())}
        for length in bench.lengths:
            if not bench.has_time(f"{name}, rows of {length}"):
                continue
            budget = max(1.0, bench.seconds_left() / max(cases, 1))
            rows = bench.rows(shape, length)
            found[name][f"rows_of_{length}"] = _of_rows(bench, model, rows, budget)
            cases -= 1
        del model
        bench.free_memory()
    return found


def _of_rows(bench: Bench, model: PreTrainedModel, rows: torch.Tensor, budget: float) -> dict[str, Any]:
    route = survey(model)
    on_device = rows.to(bench.device)
    with_ends = rows.clone()
    with_ends.view(-1)[TOKENS_BETWEEN_ENDS::TOKENS_BETWEEN_ENDS] = END
    few = rows[:ROWS_BY_ROW]
    corrected = Estimator.corrected()

    def plain() -> None:
        model.requires_grad_(True)
        model(input_ids=on_device, labels=on_device, use_cache=False).loss.backward()
        model.zero_grad(set_to_none=True)

    def works(precision: str) -> dict[str, tuple[Work, int]]:
        """The timed works in a precision, and the tokens that each processes."""

        def embed(estimator: Estimator, ids: torch.Tensor, end: int | None = None) -> tuple[Work, int]:
            settings = Settings(estimator, precision=precision, end_of_text=end)
            return lambda: measure(model, Batch.of(ids), settings, len(ids), route), ids.numel()

        one_draw = replace(corrected, label_draws=1)
        always = {
            "plain": (in_precision(bench, precision, plain), rows.numel()),
            "corrected": embed(one_draw, rows),
            "corrected_4_draws": embed(corrected, rows),
        }
        if precision != "float32":
            return always
        return always | {
            "corrected_with_ends": embed(one_draw, with_ends, END),
            "published": embed(Estimator.published(), rows),
            "published_row_by_row": embed(replace(Estimator.published(), minibatch=1), few),
            "released_row_by_row": (
                lambda: squares_row_by_row(model, few.to(bench.device)),
                few.numel(),
            ),
            "per_sample_gradients": (lambda: per_sample_squares(model, few.to(bench.device)), few.numel()),
        }

    result: dict[str, Any] = {"rows": len(rows)}
    for precision in PRECISIONS:
        chosen = works(precision)
        measured = bench.interleaved(
            {name: work for name, (work, _) in chosen.items()},
            REPEATS,
            budget / len(PRECISIONS),
        )
        for name, (_, tokens) in chosen.items():
            if "seconds" in measured[name]:
                measured[name]["tokens_per_second"] = tokens / measured[name]["seconds"]
        result[precision] = measured | {"ratios": ratios(measured)}
        bench.free_memory()
    return result


def in_precision(bench: Bench, precision: str, work: Work) -> Work:
    """The work in a new block each time, so weights cast to bfloat16 are not reused between calls."""

    def run() -> None:
        with arithmetic(precision, bench.device):
            work()

    return run


def ratios(measured: dict[str, Any]) -> dict[str, float]:
    """Ratios with a required value or a goal: time relative to a plain pass, and speed relative to other methods."""

    def speed(name: str) -> float | None:
        rate = measured.get(name, {}).get("tokens_per_second")
        return None if rate is None else float(rate)

    found = {}
    ours, plain = speed("corrected"), speed("plain")
    if ours and plain:
        found["corrected_over_plain"] = plain / ours
        four = speed("corrected_4_draws")
        if four:
            found["corrected_4_draws_over_plain"] = plain / four
    for other in ("released_row_by_row", "published_row_by_row", "per_sample_gradients"):
        rate = speed(other)
        if ours and rate:
            found[f"times_as_fast_as_{other}"] = ours / rate
    if ours:
        found["hours_for_100m_tokens"] = HUNDRED_MILLION / ours / 3600
    return found


def squares_row_by_row(
    model: PreTrainedModel, ids: torch.Tensor, labels: torch.Tensor | None = None
) -> dict[str, torch.Tensor]:
    """The released algorithm without its head fit: a pass, drawn labels, all weight gradients, one row at a time."""
    model.requires_grad_(True)
    parameters = dict(model.named_parameters())
    squares = {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}
    for number, row in enumerate(ids.split(1)):
        logits = model(input_ids=row, use_cache=False).logits
        label = _drawn(logits) if labels is None else labels[number : number + 1]
        _released_loss(logits[0], label[0]).backward()
        with torch.no_grad():
            for name, parameter in parameters.items():
                if parameter.grad is not None:
                    squares[name].addcmul_(parameter.grad, parameter.grad)
        model.zero_grad(set_to_none=True)
    return squares


def per_sample_squares(
    model: PreTrainedModel, ids: torch.Tensor, labels: torch.Tensor | None = None
) -> dict[str, torch.Tensor]:
    """The same with torch.func, which computes the gradients of all rows at once."""
    model.requires_grad_(False)
    weights = {name: parameter.detach() for name, parameter in model.named_parameters()}
    if labels is None:
        labels = _drawn(model(input_ids=ids, use_cache=False).logits)

    def loss(given: dict[str, torch.Tensor], row: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        keywords = {"input_ids": row.unsqueeze(0), "use_cache": False}
        return _released_loss(functional_call(model, given, (), keywords).logits[0], label)

    # vmap vectorises only the plain attention kernel; the others run row by row.
    with sdpa_kernel(SDPBackend.MATH):
        gradients = vmap(grad(loss), in_dims=(None, 0, 0))(weights, ids, labels)
    return {name: gradient.square_().sum(0) for name, gradient in gradients.items()}


@torch.no_grad()
def _drawn(logits: torch.Tensor) -> torch.Tensor:
    """A label for each position of (rows, length, vocabulary)."""
    probabilities = torch.softmax(logits.float(), -1).flatten(0, 1)
    return torch.multinomial(probabilities, 1).view(logits.shape[:2])


def _released_loss(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(logits[:-1], label[1:])
