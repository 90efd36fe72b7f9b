"""Figures show the numbers of the tables, and nothing else."""

import io
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from jinja2 import Template

from workflow_scripts.report.draw import draw_figures
from workflow_scripts.report.figure import DATA, Figure
from workflow_scripts.report.figures import FIGURES
from workflow_scripts.report.figures.alignment_matrix import clustered
from workflow_scripts.report.figures.metric_differences import metric_differences
from workflow_scripts.report.files import paper_specification, write_files
from workflow_scripts.report.headline import PUBLISHED_NAMES
from workflow_scripts.report.look import CATEGORIES, PALE, VARIABLES, for_paper, ordered_entries
from workflow_scripts.statistics.published import TABLES

Frames = dict[str, pd.DataFrame]
REPORT = Path(__file__).parents[2] / "workflow_scripts" / "report"


@pytest.fixture(scope="module")
def figures(tables: Frames) -> dict[str, Figure]:
    sections, left_out = draw_figures(tables)
    assert left_out == []
    return {figure.name: figure for section in sections for figure in section.figures}


def test_the_code_of_a_figure_is_found_by_its_name(figures: dict[str, Figure]) -> None:
    makers = {maker.name: maker.draw for maker in FIGURES}
    assert set(makers) == {path.stem for path in (REPORT / "figures").glob("[a-z]*.py")}
    for name, draw in makers.items():
        assert draw.__name__ == name
    for name in figures:
        assert any(name == maker or name.startswith(f"{maker}_") for maker in makers)


def test_every_figure_survives_a_run_without_any_relation(unrelated: Frames) -> None:
    assert draw_figures(unrelated)[1] == []


def test_a_damaged_run_still_has_its_figures(damaged: Frames) -> None:
    sections, left_out = draw_figures(damaged)
    assert left_out == []
    figures = {figure.name: figure for section in sections for figure in section.figures}
    assert "corners cannot be compared" in figures["intervention_surface_grid"].summary
    assert "Not shown, because they have no scale: gzip pairs." in figures["mixture_curves_grid"].summary
    assert "science_50" not in set(figures["alignment_and_loss_grid"].data["train_set"])
    for figure in figures.values():
        assert "nan" not in figure.summary.lower()
        assert "nan" not in figure.csv().lower()


def test_every_figure_has_a_caption_for_the_workflow_report() -> None:
    template = Template((REPORT.parents[1] / "rules/report_captions/figure.rst").read_text())
    captions = []
    for maker in FIGURES:
        job = SimpleNamespace(wildcards=SimpleNamespace(figure=f"{maker.name}_grid"))
        captions.append(template.render(snakemake=job).strip())
    assert len({caption for caption in captions if len(caption.splitlines()) > 1}) == len(FIGURES)


def test_a_table_without_rows_leaves_its_figures_out(tables: Frames) -> None:
    sections, left_out = draw_figures({**tables, "choice": tables["choice"].head(0)})
    assert [line for line in left_out if "cost_and_skill" in line and "choice" in line]
    assert all(figure.name != "cost_and_skill" for section in sections for figure in section.figures)


def test_the_scatter_has_every_pair_of_the_largest_budget(figures: dict[str, Figure], tables: Frames) -> None:
    points = tables["points"]
    expected = points[points["experiment"] == "pretraining"]
    shown = figures["alignment_and_loss_pretraining"].data
    assert len(shown) == len(expected)
    assert shown["loss"].sum() == pytest.approx(expected["loss"].sum())
    panels = figures["alignment_and_loss_pretraining"].panels
    assert len(panels) == points["metric"].nunique()


def test_the_grid_is_shown_at_every_budget(figures: dict[str, Figure]) -> None:
    assert figures["alignment_and_loss_grid"].data["tokens"].nunique() == 4
    surface = figures["intervention_surface_grid"]
    assert len(surface.data) == 5 * 4
    assert list(surface.data.query("fraction == 1")["loss"]) == sorted(
        surface.data.query("fraction == 1")["loss"], reverse=True
    )


def test_published_numbers_are_those_of_the_paper(figures: dict[str, Figure]) -> None:
    data = figures["published_and_ours"].data
    pooled = data[(data["origin"] == "published") & (data["scope"] == "pooled")].set_index("what")["r2"]
    assert pooled.round(3).to_dict() == {
        "pre-training, newer figure": 0.838,
        "pre-training, older figure": 0.800,
        "fine-tuning, AF": 0.963,
        "fine-tuning, docstrings": 0.611,
        "gzip, GPT-2, 20k tokens": 0.907,
        "gzip, GPT-2, 4k tokens": 0.823,
        "gzip, LLaMA-3-8B, 4k tokens": 0.000,
        "gzip, unlabelled model": 0.051,
    }


def test_every_published_table_has_a_name() -> None:
    assert set(PUBLISHED_NAMES) == {table.name for table in TABLES}


def test_clustering_puts_like_sets_side_by_side() -> None:
    groups = {"a1": 0, "b1": 5, "a2": 0.1, "b2": 5.1, "a3": 0.2}
    frame = pd.DataFrame(
        [
            {"source": first, "target": second, "alignment": -abs(x - y)}
            for first, x in groups.items()
            for second, y in groups.items()
        ]
    )
    letters = "".join(name[0] for name in clustered(frame))
    assert letters in ("aaabb", "bbaaa")


def test_a_difference_points_the_same_way_whichever_measure_is_named_first(tables: Frames) -> None:
    table = tables["metric_differences"]
    turned = table.assign(
        metric=table["other"],
        other=table["metric"],
        r_metric=table["r_other"],
        r_other=table["r_metric"],
        difference=-table["difference"],
        ci_low=-table["ci_high"],
        ci_high=-table["ci_low"],
    )
    keys = ["scope", "metric"]
    for one, other in zip(
        metric_differences({"metric_differences": table}),
        metric_differences({"metric_differences": turned}),
        strict=True,
    ):
        pd.testing.assert_frame_equal(
            one.data.sort_values(keys, ignore_index=True), other.data.sort_values(keys, ignore_index=True)
        )
        r = one.data["r"] - one.data["r_reference"]
        assert one.data["difference"].to_numpy() == pytest.approx(r.to_numpy())


def test_csv_reads_back(figures: dict[str, Figure]) -> None:
    for figure in figures.values():
        read = pd.read_csv(io.StringIO(figure.csv()), keep_default_na=False)
        assert list(read.columns) == list(figure.types())
        assert len(read) == len(figure.data)
    assert "true" in figures["metric_league_pretraining"].csv()


def test_files_hold_the_light_colours_and_the_data(figures: dict[str, Figure], tmp_path: Path) -> None:
    figure = figures["intervention_surface_grid"]
    text = json.dumps(paper_specification(figure))
    assert "var(" not in text
    assert "color-mix" not in text
    assert "light-dark" not in json.dumps(paper_specification(figures["published_and_ours"]))
    assert len(paper_specification(figure)["datasets"][DATA]) == len(figure.data)
    for other in figures.values():
        whole = paper_specification(other)
        assert set(re.findall(r'"data": {"name": "([^"]+)"}', json.dumps(whole))) <= set(whole["datasets"])
    write_files(figure, tmp_path)
    drawing = (tmp_path / f"{figure.name}.svg").read_text()
    assert VARIABLES["--accent"][0] in drawing
    assert "NaN" not in drawing
    assert (tmp_path / f"{figure.name}.png").read_bytes().startswith(b"\x89PNG")


def test_mixtures_of_colours_are_mixed_for_paper() -> None:
    first, middle, last = (entry.colour for entry in ordered_entries(["a", "b", "c"]))
    resolved = for_paper({"colours": [first, middle, last]})["colours"]
    assert resolved[0] == VARIABLES[PALE.removeprefix("var(").removesuffix(")")][0]
    assert resolved[2] == VARIABLES["--accent"][0]
    assert resolved[1] == "#578c94"


def test_style_sheet_and_figures_have_the_same_colours() -> None:
    style = (REPORT / "page.css").read_text()
    for name, (light, dark) in VARIABLES.items():
        assert f"{name}: light-dark({light}, {dark});" in style


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("side", [0, 1])
def test_colours_of_data_stand_out_on_both_backgrounds(side: int) -> None:
    page = luminance(VARIABLES["--page"][side])
    pairs = [re.findall(r"#\w{6}", colours) for colours in CATEGORIES]
    for colour in (*(pair[side] for pair in pairs), VARIABLES["--accent"][side]):
        dark, bright = sorted((page, luminance(colour)))
        assert (bright + 0.05) / (dark + 0.05) >= 3, colour


def test_what_other_probes_gave_stands_beside_the_first_ones_values(
    figures: dict[str, Figure], tables: Frames
) -> None:
    spread = tables["probe_spread"]
    own = spread[(spread["experiment"] == "pretraining") & (spread["scope"] == "within_eval")]
    r = own[own["statistic"] == "pearson_r"]["value"]
    figure = figures["probe_spread_pretraining"]
    shown = figure.data[figure.data["what"] == "correlation with loss"]
    assert sorted(shown["value"]) == sorted(r)
    assert list(shown["probe"]) == ["seed-0", "seed-1", "seed-2"]
    league = figures["metric_league_pretraining"].data
    within = league[(league["panel"] == "within evaluation sets")].set_index("metric")
    assert within.loc["task2vec", ["probes_low", "probes_high"]].tolist() == [r.min(), r.max()]
    assert within.loc["unigram_js", ["probes_low", "probes_high"]].isna().all()


def test_a_run_with_one_probe_has_no_columns_of_probes(tables: Frames) -> None:
    alone = {name: table for name, table in tables.items() if name != "probe_spread"}
    sections, left_out = draw_figures(alone)
    assert left_out == []
    drawn = {figure.name: figure for section in sections for figure in section.figures}
    assert not any(name.startswith("probe_spread") for name in drawn)
    assert "probes_low" not in drawn["metric_league_pretraining"].data
    assert "probes_low" not in drawn["cost_and_skill"].data


def test_more_rows_are_lines_of_skill_with_their_seconds(tables: Frames) -> None:
    shape = {"experiment": "one", "part": "whole", "tokens": 100, "ci_low": -0.9, "ci_high": 0.1}
    curve = pd.DataFrame(
        {**shape, "metric": metric, "rows": rows, "fewest_rows": min(rows, 200), "scope": scope}
        | {"statistic": statistic, "value": value * sign, "seconds": 3.0 * rows}
        for metric, rows, value in (
            ("task2vec_roots", 64, -0.5),
            ("task2vec_roots", 256, -0.8),
            ("unigram_js", 64, -0.9),
        )
        for scope, statistic, sign in (
            ("within_eval", "pearson_r", 1),
            ("double_centred", "pearson_r", 1),
            ("all", "regret", -1),
        )
    )
    sections, left_out = draw_figures({**tables, "rows_curve": curve})
    assert left_out == []
    (figure,) = [f for s in sections for f in s.figures if f.name.startswith("rows_curve")]
    assert len(figure.panels) == 3 and len(figure.data) == 9
    assert figure.data["value"].sum() == pytest.approx(-2.2 - 2.2 + 2.2)
    assert "unigram js with 64 rows (r = −0.90, 3.2 min)" in figure.summary
    assert "of the Fisher measures task2vec roots with 256 rows (r = −0.80, 12.8 min)" in figure.summary
    assert "only 200 rows" in figure.summary
