import pandas as pd
import pytest

from workflow_scripts.errors import UserError
from workflow_scripts.import_losses import main
from workflow_scripts.storage.tables import read_frame

LOSSES = "train_set,eval_set,loss,model\na,x,3.0,1M\na,y,2.0,1M\na,x,2.5,1B\na,y,1.5,1B\n"
MIXTURES = "train_set,corpus,share\na,x,0.4\na,z,0.6\n"


@pytest.fixture
def run_job(tmp_path):
    (tmp_path / "losses.csv").write_text(LOSSES)
    (tmp_path / "mixtures.csv").write_text(MIXTURES)

    def run(*options, parts=("x", "z")):
        words = ["--losses", str(tmp_path / "losses.csv"), "--mixtures", str(tmp_path / "mixtures.csv")]
        words += ["--parts", *parts, "--eval-sets", "x", "y", *options]
        main(
            [*words, "--output", str(tmp_path / "l.parquet"), "--shares-output", str(tmp_path / "s.parquet")]
        )
        return read_frame(tmp_path / "l.parquet"), read_frame(tmp_path / "s.parquet")

    return run


def test_losses_of_one_model_and_shares_by_corpus(run_job):
    losses, shares = run_job("--model", "1B")
    assert losses["loss"].tolist() == [2.5, 1.5]
    assert dict(zip(shares["corpus"], shares["share"], strict=True)) == pytest.approx({"x": 0.4, "z": 0.6})


def test_a_mistake_leaves_nothing_behind(run_job, tmp_path):
    with pytest.raises(UserError, match="corpus z"):
        run_job("--model", "1M", parts=("x", "y"))
    assert not (tmp_path / "l.parquet").exists()


@pytest.mark.parametrize("size", ["train_1m", "test_1m", "test_60m", "test_1b"])
def test_the_shipped_tables_are_the_published_ones(root, shared, size):
    """Every published loss and share, to the digits that are kept."""
    large = size == "test_1b"
    stem, prefix = ("1B", "large") if large else (size.split("_")[1], size.split("_")[0])
    folder = shared / "outside" / "regmix"
    kind = size.split("_")[0]
    for ours, theirs, column, value, tolerance in (
        (f"losses_{size}", f"{kind}_pile_loss_{stem}", "eval_set", "loss", 6e-6),
        (f"mixtures_{prefix}", f"{kind}_mixture_{stem}", "corpus", "share", 1e-9),
    ):
        table = pd.read_csv(root / "published" / "regmix" / f"{ours}.csv")
        wide = table.pivot(index="train_set", columns=column, values=value).fillna(0.0)
        original = pd.read_csv(folder / f"{theirs}.csv").sort_values("index").drop(columns="index")
        original.columns = [
            name.removeprefix("train_the_pile_").removeprefix("metric/the_pile_").removesuffix("_val_loss")
            for name in original.columns
        ]
        assert len(wide) == len(original)
        assert abs(wide[original.columns].to_numpy() - original.to_numpy()).max() <= tolerance
