"""Figures as files next to the page: SVG and PNG for papers, CSV of the data."""

from pathlib import Path
from typing import Any, Literal

import altair as alt
import vl_convert

from workflow_scripts.report.figure import DATA, Figure
from workflow_scripts.report.look import CONFIG, for_paper
from workflow_scripts.storage.tables import replaced_whole

# The Vega-Lite version for which Altair writes.
VEGA_LITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
PANEL_WIDTH = {False: 250, True: 520}
PIXELS_PER_UNIT = 2


def write_files(figure: Figure, folder: Path) -> None:
    """NAME.svg, NAME.png and NAME.csv."""
    drawing = vl_convert.vegalite_to_svg(paper_specification(figure), vl_version=VEGA_LITE)
    with replaced_whole(folder / f"{figure.name}.svg") as path:
        path.write_text(drawing, encoding="utf-8")
    with replaced_whole(folder / f"{figure.name}.png") as path:
        path.write_bytes(vl_convert.svg_to_png(drawing, scale=PIXELS_PER_UNIT))
    with replaced_whole(folder / f"{figure.name}.csv") as path:
        path.write_text(figure.csv(), encoding="utf-8")


def paper_specification(figure: Figure) -> dict[str, Any]:
    """All panels of a figure with their data, in the light colours on white."""
    panels = [
        {
            **{key: value for key, value in panel.specification.items() if key != "datasets"},
            "width": PANEL_WIDTH[panel.wide],
            "height": panel.height,
            "title": {"text": panel.title, **({"subtitle": panel.subtitle} if panel.subtitle else {})},
        }
        for panel in figure.panels
    ]
    # Panels share one legend, unless each panel has its own.
    coloured = sum(any(entry.colour for entry in legend.entries) for legend in figure.legends)
    looks: Literal["shared", "independent"] = "shared" if coloured == 1 else "independent"
    apart = dict.fromkeys(("opacity", "xOffset", "yOffset"), "independent")
    datasets: dict[str, Any] = {}
    for panel in figure.panels:  # Vega-Lite reads them only at the top level
        datasets |= panel.specification.get("datasets", {})
    values = figure.data.astype(object).where(figure.data.notna(), None).to_dict("records")
    return for_paper(
        {
            "$schema": alt.SCHEMA_URL,
            "concat": panels,
            "columns": figure.columns,
            "spacing": 32,
            # Bands differ in width between panels, and offsets are fractions of a band.
            "resolve": {"scale": {"color": looks, "shape": looks, **apart}},
            "params": figure.parameters(),
            "config": {**CONFIG, "background": "white"},
            "datasets": {**datasets, DATA: values},
        }
    )
