"""Tables of others: what is in them, and one sentence for each mistake."""

import pandas as pd
import pytest

from workflow_scripts.errors import UserError
from workflow_scripts.outside.tables import read, share_matrix

PARTS, TARGETS = ["news", "code"], ["news", "law"]


def losses(**changes):
    table = pd.DataFrame(
        {
            "train_set": ["a", "a", "b", "b"],
            "eval_set": ["news", "law", "news", "law"],
            "loss": [3.0, 4.0, 3.5, 4.5],
        }
    )
    return table.assign(**changes)


def mixtures(**changes):
    table = pd.DataFrame(
        {"train_set": ["a", "a", "b"], "corpus": ["news", "code", "code"], "share": [0.25, 0.75, 1.0]}
    )
    return table.assign(**changes)


@pytest.fixture
def files(tmp_path):
    def write(losses_table, mixtures_table, suffix=".csv"):
        paths = []
        for name, table in (("losses", losses_table), ("mixtures", mixtures_table)):
            paths.append(tmp_path / f"{name}{suffix}")
            table.to_csv(paths[-1], index=False) if "csv" in suffix else table.to_parquet(paths[-1])
        return paths

    return write


def mistake(paths, parts=PARTS, targets=TARGETS, model=None):
    with pytest.raises(UserError) as caught:
        read(*paths, parts, targets, model)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_both_tables_in_one_form(files, suffix):
    found = read(*files(losses(), mixtures(), suffix), PARTS, TARGETS)
    assert found.losses["loss"].tolist() == [4.0, 3.0, 4.5, 3.5]  # sorted by training and evaluation set
    assert found.losses["tokens"].eq(0).all() and found.losses["seed"].eq(0).all()
    assert share_matrix(found.shares, ["b", "a"], PARTS).tolist() == [[0.0, 1.0], [0.25, 0.75]]


def test_rounded_shares_are_scaled_to_one(files):
    found = read(*files(losses(), mixtures(share=[0.25, 0.745, 1.0])), PARTS, TARGETS)
    assert found.shares.groupby("train_set")["share"].sum().tolist() == pytest.approx([1.0, 1.0])


def test_other_evaluation_sets_and_mixtures_are_left_out(files):
    found = read(*files(losses(), mixtures()), PARTS, ["law"])
    assert set(found.losses["eval_set"]) == {"law"}
    only_a = losses().query("train_set == 'a'")
    assert set(read(*files(only_a, mixtures()), PARTS, TARGETS).shares["train_set"]) == {"a"}


def test_one_model_of_several(files):
    paths = files(losses(model=["1M", "1M", "1B", "1B"]), mixtures())
    assert read(*paths, PARTS, TARGETS, "1B").losses["train_set"].unique().tolist() == ["b"]
    assert "1B, 1M" in mistake(paths)
    assert "no model 7B" in mistake(paths, model="7B")
    assert "no column `model`" in mistake(files(losses(), mixtures()), model="1M")


@pytest.mark.parametrize(
    ("losses_table", "mixtures_table", "said"),
    [
        (losses(), mixtures(share=[0.25, 0.5, 1.0]), "the shares of a sum to 0.75"),
        (losses(), mixtures(share=[-0.25, 1.25, 1.0]), "between 0 and 1"),
        (losses(), mixtures(share=["x", 0.75, 1.0]), "between 0 and 1"),
        (losses(), mixtures(corpus=["news", "poems", "code"]), "corpus poems"),
        (losses(), mixtures(corpus=["code", "code", "code"]), "listed twice"),
        (losses(), mixtures(train_set=["b", "b", "c"]), "no mixture a"),
        (losses(loss=[3.0, None, 3.5, 4.5]), mixtures(), "eval_set law"),
        (losses(loss=[3.0, "inf", 3.5, 4.5]), mixtures(), "missing or not a number"),
        (losses()[:3], mixtures(), "this loss is missing (train_set b, eval_set law"),
        (losses(eval_set=["news", "news", "news", "law"]), mixtures(), "listed twice"),
        (losses(tokens=[1.5, 1, 1, 1]), mixtures(), "`tokens` must be a whole number"),
        (losses().drop(columns="loss"), mixtures(), "no column `loss`"),
        (losses(eval_set="poems"), mixtures(), "no loss on any of news, law"),
    ],
)
def test_a_mistake_is_named_with_its_row(files, losses_table, mixtures_table, said):
    assert said in mistake(files(losses_table, mixtures_table))


def test_a_file_that_is_no_table(files, tmp_path):
    _, shares = files(losses(), mixtures())
    for name, content in (("x.parquet", b"nonsense"), ("x.csv.gz", b"nonsense"), ("x.csv", b"")):
        path = tmp_path / name
        path.write_bytes(content)
        assert "cannot be read as a table" in mistake([path, shares])
    (tmp_path / "x.xlsx").write_bytes(b"")
    assert "unknown format" in mistake([tmp_path / "x.xlsx", shares])
