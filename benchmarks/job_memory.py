"""The largest memory of the jobs of each rule in a finished run, beside what the rule requests.

Run as `python -m benchmarks.job_memory --run results/quick`. The figures come from the run's `benchmarks/` folder,
where Snakemake writes the largest resident memory that it saw of each job. It looks every few seconds, so it may miss a
short peak, and very short jobs have no figure. The exit code is 1 if a job had more than its rule requests.
"""

import argparse
import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from workflow_scripts.plan.rules import RULES


def peaks(run: Path) -> dict[str, list[float]]:
    """MB of each job, by rule; jobs without a figure are left out."""
    found: dict[str, list[float]] = {}
    for path in sorted((run / "benchmarks").rglob("*.tsv")):
        rule = path.relative_to(run / "benchmarks").parts[0].removesuffix(".tsv")
        with path.open(encoding="utf-8") as stream:
            for row in csv.DictReader(stream, delimiter="\t"):
                peak = float(row["max_rss"].replace("NA", "nan").replace("-", "nan"))
                if rule in RULES and not math.isnan(peak):
                    found.setdefault(rule, []).append(peak)
    return found


def above_request(found: Mapping[str, Sequence[float]]) -> list[str]:
    """Rules with a job that had more memory than it requested."""
    return [rule for rule, peaks_of_jobs in found.items() if max(peaks_of_jobs) > RULES[rule].mem_mb]


def as_lines(found: Mapping[str, Sequence[float]]) -> Iterator[str]:
    yield f"{'rule':<26}{'jobs':>6}{'largest MB':>12}{'requested':>12}"
    for rule, peaks_of_jobs in sorted(found.items(), key=lambda item: -max(item[1])):
        yield f"{rule:<26}{len(peaks_of_jobs):>6}{max(peaks_of_jobs):>12.0f}{RULES[rule].mem_mb:>12}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", type=Path, default=Path("results/quick"))
    found = peaks(parser.parse_args().run)
    print("\n".join(as_lines(found)))
    raise SystemExit(bool(above_request(found)))


if __name__ == "__main__":
    main()
