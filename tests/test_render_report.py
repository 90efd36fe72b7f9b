"""The program that renders the report, on nothing but the published numbers."""

from pathlib import Path

import pytest

from workflow_scripts import analyse_published, render_report
from workflow_scripts.errors import UserError
from workflow_scripts.storage.tables import write_json

PUBLISHED = Path(__file__).parents[1] / "published"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options that name the two published tables."""
    folder = tmp_path_factory.mktemp("published")
    table, points = folder / "published.parquet", folder / "points.parquet"
    analyse_published.main(
        [
            *("--folder", str(PUBLISHED), "--permutations", "50", "--seed", "0"),
            *("--output", str(table), "--points", str(points)),
        ]
    )
    return ["--table", f"published={table}", "--table", f"published_points={points}"]


def render(options: list[str], folder: Path) -> str:
    page = folder / "index.html"
    render_report.main(["--run", "tiny", *options, "--page", str(page), "--figures", str(folder / "figures")])
    return page.read_text(encoding="utf-8")


def test_a_figure_without_its_tables_is_left_out_and_listed(published: list[str], tmp_path: Path) -> None:
    text = render(published, tmp_path)
    assert 'id="published_pairs"' in text
    assert 'id="alignment_matrix"' not in text
    assert "Figure alignment_matrix: needs the table alignment, which this run lacks." in text
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        f"published_pairs.{kind}" for kind in ("svg", "png", "csv")
    }


def test_missing_models_are_named(published: list[str], tmp_path: Path) -> None:
    entry = {"experiment": "pretraining", "recipe": "scratch", "train_set": "headers", "tokens": 1024}
    missing = {
        "missing": [{**entry, "eval_set": name, "seed": 0} for name in ("code", "stubs")],
        "not_finite": [],
    }
    path = tmp_path / "missing.json"
    write_json(missing, path)
    text = render([*published, "--missing", str(path)], tmp_path)
    assert "Experiment pretraining: no loss of headers (2: on code, stubs; at tokens 1024; seed 0)." in text


def test_the_same_tables_give_the_same_bytes(published: list[str], tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert render(published, first) == render(published, second)
    for path in (first / "figures").iterdir():
        assert path.read_bytes() == (second / "figures" / path.name).read_bytes(), path.name


@pytest.mark.parametrize(("value", "message"), [("points", "NAME=FILE"), ("points=nowhere", "is missing")])
def test_a_table_that_cannot_be_read_is_named(value: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        render(["--table", value], tmp_path)
