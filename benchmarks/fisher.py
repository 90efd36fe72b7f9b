"""Time and peak memory of the Fisher embedding, relative to one plain forward and backward pass of the same tokens.

    python -m benchmarks.fisher [--case gpt2_small|small_probe] [--repeats 5] [--threads 2] [--draws 1]

One JSON line per case: `ratio_plain` (corrected, one draw, no head fit), `ratio_plain_head5` (with five epochs of
head fit), and `peak_ratio`, the larger of their two peaks of resident memory over that of the plain pass. The plain
pass reads the rows in micro-batches of the same size and accumulates gradients of all weights. Figures are medians
of repeats that take turns in one process.
"""

import argparse
import dataclasses
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from workflow_scripts.command_line import parser_for, run, set_threads

ROWS, LENGTH, MICROBATCH = 32, 128, 8
CASES = {
    "gpt2_small": {"n_layer": 12, "n_embd": 768, "n_head": 12, "vocab_size": 50_257, "n_positions": 1024},
    "small_probe": {"n_layer": 4, "n_embd": 256, "n_head": 4, "vocab_size": 8_192, "n_positions": 128},
}


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--case", choices=CASES, action="append", help="repeated; all by default")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    return parser


def peak_of(work: Callable[[], object]) -> tuple[float, int]:
    """Seconds of the work, and the peak of the process's resident memory meanwhile in bytes (Linux only)."""
    Path("/proc/self/clear_refs").write_text("5")
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    status = Path("/proc/self/status").read_text()
    return seconds, int(status.split("VmHWM:")[1].split()[0]) * 1024


def measure_case(case: str, repeats: int, draws: int) -> dict[str, object]:
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from workflow_scripts.fisher.embedding import embed
    from workflow_scripts.fisher.estimator import Estimator

    torch.manual_seed(0)
    shape = CASES[case]
    config = GPT2Config(
        n_layer=shape["n_layer"],
        n_embd=shape["n_embd"],
        n_head=shape["n_head"],
        vocab_size=shape["vocab_size"],
        n_positions=shape["n_positions"],
        bos_token_id=0,
        eos_token_id=0,
    )
    model = GPT2LMHeadModel(config).eval()
    ids = torch.randint(0, shape["vocab_size"], (ROWS, LENGTH))
    mask = torch.ones_like(ids)
    estimator = dataclasses.replace(Estimator.corrected(), label_draws=draws)

    def plain() -> None:
        for part in ids.split(MICROBATCH):
            model(input_ids=part, labels=part).loss.backward()
        model.zero_grad(set_to_none=True)

    runs: dict[str, Callable[[], object]] = {
        "plain": plain,
        "embed": lambda: embed(model, ids, mask, estimator, microbatch=MICROBATCH),
        "head5": lambda: embed(model, ids, mask, estimator, microbatch=MICROBATCH, head_epochs=5),
    }
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    peaks: dict[str, list[int]] = {name: [] for name in runs}
    for repeat in range(repeats + 1):
        for name, work in runs.items():
            took, bytes_held = peak_of(work)
            if repeat:  # the first round warms up
                seconds[name].append(took)
                peaks[name].append(bytes_held)
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    peak = {name: statistics.median(values) for name, values in peaks.items()}
    return {
        "case": case,
        "ratio_plain": round(middle["embed"] / middle["plain"], 3),
        "ratio_plain_head5": round(middle["head5"] / middle["plain"], 3),
        "peak_ratio": round(max(peak["embed"], peak["head5"]) / peak["plain"], 3),
        "seconds_plain": round(middle["plain"], 3),
        "tokens_per_second": round(ROWS * LENGTH / middle["embed"]),
        "label_draws": draws,
        "repeats": repeats,
    }


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(arguments.threads)
    for case in arguments.case or CASES:
        print(json.dumps(measure_case(case, arguments.repeats, arguments.draws)), flush=True)


if __name__ == "__main__":
    run(main)
