"""How figures look: colours, shapes, and the settings of Vega-Lite.

In the page, colours of text and lines are CSS variables, so figures switch between light and dark without a redraw.
`for_paper` inserts the light values for files. Colours of data have a contrast of at least 3 : 1 to the page.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from workflow_scripts.report.figure import LegendEntry

FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif"

# Variables of page.css with their light and dark values; a test checks that the two files agree.
VARIABLES = {
    "--page": ("#ffffff", "#14181b"),
    "--ink": ("#1b2024", "#e7eaec"),
    "--quiet": ("#586069", "#a5aeb5"),
    "--rule": ("#e2e6e9", "#2c3338"),
    "--pale": ("#a3abb2", "#6b747b"),
    "--accent": ("#0b6e75", "#5fc3c8"),
}
ACCENT, INK, QUIET, RULE = "var(--accent)", "var(--ink)", "var(--quiet)", "var(--rule)"
PALE = "var(--pale)"

# A light and a dark colour of each hue.
CATEGORIES = tuple(
    f"light-dark({light}, {dark})"
    for light, dark in (
        ("#0f8088", "#3cb5bd"),
        ("#c4641a", "#e8935a"),
        ("#7a63bd", "#a595e0"),
        ("#5b8c2a", "#8fc05c"),
        ("#bf4f7c", "#e087ab"),
        ("#3a78c2", "#76abe8"),
        ("#9a7a16", "#cfae4b"),
        ("#7d6f66", "#ab9d94"),
        ("#b0509f", "#d98ccb"),
        ("#4d8a6a", "#80bf9e"),
    )
)
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")

CONFIG: dict[str, Any] = {
    "background": "transparent",
    "font": FONT,
    "padding": {"left": 2, "right": 8, "top": 6, "bottom": 2},
    "view": {"stroke": None},
    "axis": {
        "domainColor": RULE,
        "gridColor": RULE,
        "gridWidth": 0.7,
        "tickColor": RULE,
        "tickSize": 4,
        "labelColor": QUIET,
        "labelFontSize": 11,
        "labelPadding": 4,
        "labelLimit": 190,
        "titleColor": QUIET,
        "titleFontSize": 11.5,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "tickCount": 5,
    },
    "legend": {
        "labelColor": QUIET,
        "titleColor": QUIET,
        "labelFontSize": 11,
        "labelLimit": 260,
        "titleFontSize": 11.5,
        "symbolOpacity": 1,
    },
    "title": {
        "color": INK,
        "subtitleColor": QUIET,
        "fontSize": 12.5,
        "subtitleFontSize": 11,
        "fontWeight": 600,
        "anchor": "start",
        "offset": 10,
    },
    "line": {"strokeWidth": 2},
    "point": {"size": 55, "filled": True},
}


def category_entries(values: Sequence[str]) -> tuple[LegendEntry, ...]:
    """Every value with a colour and a shape; after ten values the colours repeat with other shapes."""
    return tuple(
        LegendEntry(
            value,
            CATEGORIES[place % len(CATEGORIES)],
            SHAPES[(place + place // len(CATEGORIES)) % len(SHAPES)],
        )
        for place, value in enumerate(values)
    )


def ordered_entries(values: Sequence[str]) -> tuple[LegendEntry, ...]:
    """Every value with a colour between the pale one and the accent, in the given order."""
    steps = max(1, len(values) - 1)
    return tuple(
        LegendEntry(value, f"color-mix(in srgb, {ACCENT} {100 * place / steps:.0f}%, {PALE})", "circle")
        for place, value in enumerate(values)
    )


def for_paper(spec: dict[str, Any]) -> dict[str, Any]:
    """The specification with the light values in place of CSS variables, pairs of colours, and mixtures."""
    text = json.dumps(spec)
    for name, (light, _) in VARIABLES.items():
        text = text.replace(f"var({name})", light)
    return json.loads(MIXTURE.sub(_mixed, PAIR.sub(r"\1", text)))


PAIR = re.compile(r"light-dark\((#\w{6}), #\w{6}\)")
MIXTURE = re.compile(r"color-mix\(in srgb, (#\w{6}) (\d+)%, (#\w{6})\)")


def _mixed(found: re.Match[str]) -> str:
    first, last = (tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5)) for colour in found.group(1, 3))
    share = int(found.group(2)) / 100
    return "#" + "".join(
        f"{round(share * a + (1 - share) * b):02x}" for a, b in zip(first, last, strict=True)
    )
