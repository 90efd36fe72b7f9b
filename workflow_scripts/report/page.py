"""The page: one HTML file that contains figures, tables, styles and scripts."""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import quote

import vl_convert
from markupsafe import Markup

from workflow_scripts.report.answer import answer, caveats
from workflow_scripts.report.draw import Section
from workflow_scripts.report.figure import Figure, Panel, Tables
from workflow_scripts.report.files import VEGA_LITE
from workflow_scripts.report.look import CONFIG
from workflow_scripts.report.provenance import missing_lines, provenance_view, unmeasured_lines
from workflow_scripts.report.templates import HERE, environment

# The part of the bundle that page.js uses.
EXPOSED = "window.vegaEmbed = vegaEmbed;"


def page(
    run: str,
    tables: Tables,
    sections: Sequence[Section],
    left_out: Sequence[str],
    missing: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> str:
    """HTML text of the page. `left_out` says which figures could not be drawn and why."""
    templates = environment()
    templates.filters |= {"data_uri": data_uri, "tied": tied}
    return templates.get_template("page.html.j2").render(
        run=run,
        answer=answer(tables),
        caveats=caveats(tables),
        sections=sections,
        recorded="token_worth" in tables,
        missing=[*left_out, *missing_lines(missing), *unmeasured_lines(tables.get("alignment"))],
        provenance=provenance_view(provenance),
        specifications=script_json(
            {figure.name: figure_script(figure) for section in sections for figure in section.figures}
        ),
        config=script_json(CONFIG),
        styles=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup((HERE / "page.js").read_text(encoding="utf-8")),
        vega=Markup(vega_bundle()),
    )


def figure_script(figure: Figure) -> dict[str, Any]:
    """A figure as input of the page's script; the data are in the CSV link."""
    return {
        "types": figure.types(),
        "parameters": figure.parameters(),
        "hideLegends": bool(figure.legends),
        "panels": [_specification(panel) for panel in figure.panels],
    }


def _specification(panel: Panel) -> dict[str, Any]:
    """One panel as wide as its place in the page."""
    return {
        **panel.specification,
        "width": "container",
        "height": panel.height,
        "description": panel.description,
        "autosize": {"type": "fit-x", "contains": "padding"},
    }


@cache
def vega_bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, from the installed package."""
    # A closing tag inside a string of the libraries would end the script element.
    return vl_convert.javascript_bundle(EXPOSED, vl_version=VEGA_LITE).replace("</script", "<\\/script")


def tied(text: str) -> str:
    """The text without line breaks inside `r = 0.5` and `p < 0.001`."""
    return re.sub(r" ([=<]) ", "\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}", text)


def data_uri(csv: str) -> str:
    return "data:text/csv;charset=utf-8," + quote(csv, safe=" ,.-_:;/()=+*'!~@$")


def script_json(value: Any) -> Markup:
    """JSON that is safe in a script element, whatever the names of sets are."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))
