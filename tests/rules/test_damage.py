"""Random files of a finished run are damaged: no wrong number, no traceback.

PLUMBLINE_DAMAGES says how many. The seed is printed; PLUMBLINE_DAMAGE_SEED repeats one.
"""

import os
import random
from pathlib import Path

import pytest

from benchmarks import damage

pytestmark = [pytest.mark.whole_run, pytest.mark.faults]
COUNT = int(os.environ.get("PLUMBLINE_DAMAGES", "51"))
SEED = int(os.environ.get("PLUMBLINE_DAMAGE_SEED", random.SystemRandom().randrange(2**32)))


@pytest.fixture(scope="module")
def readers(finished):
    with damage.readers_of_copy(finished.folder) as found:
        yield found


def test_every_kind_of_file_has_a_reader(readers):
    kinds = {damage.kind_of(file) for file in readers}
    assert {"corpora, parquet", "tokens, parquet", "tokens, json", "probe, safetensors"} <= kinds
    assert {"embeddings, parquet", "alignment, parquet", "training, json", "training, safetensors"} <= kinds
    assert {"losses, parquet", "analysis, parquet", "times, json", "report, json", "losses, json"} <= kinds
    assert {"store/embeddings, piece", "store/metrics, piece", "store/losses, piece"} <= kinds


def test_no_damage_is_silent_and_none_ends_in_a_traceback(readers):
    counts, failures = damage.damages(readers, COUNT, SEED, Path(damage.LOG))
    print(f"seed {SEED}\n{damage.as_table(counts)}")
    assert not failures, f"seed {SEED}\n" + "\n".join(failures)
    assert sum(counts.values()) == COUNT


def test_without_the_checks_the_damage_would_be_counted(readers):
    tables_and_models = {file: jobs for file, jobs in readers.items() if file.endswith("parquet")}
    _, failures = damage.damages(tables_and_models, 12, 1, Path(damage.LOG), damage.without_checks)
    assert failures
