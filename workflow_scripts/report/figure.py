"""What a figure is: data, panels drawn from it, legends, and what the reader needs to know about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import altair as alt
import pandas as pd

Tables = Mapping[str, pd.DataFrame]
# Altair's types of charts share no base that knows their sizes.
AnyChart = Any

# Charts name their data and leave its values out, so that page and files can each put them in once.
DATA = "figure"


def chart() -> alt.Chart:
    """An empty chart of the figure's data."""
    return alt.Chart(alt.NamedData(name=DATA))


@dataclass(frozen=True)
class LegendEntry:
    """One value of a field: how it is named, and how its marks look (neither colour nor shape: by name alone)."""

    value: str
    colour: str | None = None
    shape: str | None = None


@dataclass(frozen=True)
class Legend:
    """Entries of a field; choosing one fades the marks of all others (see `unless_isolated`)."""

    field: str
    title: str
    entries: tuple[LegendEntry, ...]

    def scale(self, channel: Literal["colour", "shape"]) -> alt.Scale:
        """The scale that gives marks the look of the legend."""
        looks = [getattr(entry, channel) for entry in self.entries]
        return alt.Scale(domain=[entry.value for entry in self.entries], range=looks)


@dataclass(frozen=True)
class Panel:
    """One view of a figure: a chart without size, a heading and a description for those who cannot see it."""

    title: str
    subtitle: str
    description: str
    chart: AnyChart
    height: int = 230
    wide: bool = False
    """Needs the width of the page; scrolls within its box on a phone."""

    @cached_property
    def specification(self) -> dict[str, Any]:
        """The chart in Vega-Lite. Page and files put their sizes and settings around it."""
        written = self.chart.to_dict(validate=False)
        return {key: value for key, value in written.items() if key not in ("$schema", "config")}


@dataclass(frozen=True)
class Figure:
    """A figure of the page: every panel is drawn from `data`, which is also the table view and the CSV file."""

    name: str
    """Of its files and its place in the page."""
    title: str
    summary: str
    """What the numbers say, in sentences made from them."""
    data: pd.DataFrame
    panels: tuple[Panel, ...]
    legends: tuple[Legend, ...] = ()
    one_at_a_time: str = ""
    """Label of a selector that shows one panel at a time; empty shows all of them."""
    check: bool = False
    """A check of another figure: folded up in the page until the reader opens it."""
    columns: int = 3
    """Panels in a row, in files."""

    def csv(self) -> str:
        """The data with six significant digits; truth values as JavaScript spells them."""
        truths = self.data.select_dtypes("bool").columns
        spelled = self.data.astype(dict.fromkeys(truths, str))
        for name in truths:
            spelled[name] = spelled[name].str.lower()
        return spelled.to_csv(index=False, float_format="%.6g", lineterminator="\n")

    def types(self) -> dict[str, str]:
        """How a script is to read the columns of the CSV file."""
        kinds = {"b": "boolean", "i": "number", "u": "number", "f": "number"}
        return {str(name): kinds.get(dtype.kind, "string") for name, dtype in self.data.dtypes.items()}

    def parameters(self) -> list[dict[str, Any]]:
        """One parameter per legend: the value that is isolated, or an empty string."""
        return [{"name": parameter(legend.field), "value": ""} for legend in self.legends]


def layered(*layers: AnyChart | None) -> AnyChart:
    """Layers on top of each other; None for one that has nothing to draw, which Vega would warn of."""
    return alt.layer(*(layer for layer in layers if layer is not None))


def parameter(field_name: str) -> str:
    """Name of the parameter that holds the isolated value of a field."""
    return f"isolated_{field_name}"


def unless_isolated(*fields: str, shown: float = 0.9, faded: float = 0.06) -> Any:
    """Opacity of a mark: faded when a legend has isolated another value of one of the fields."""
    tests = [f"({parameter(name)} === '' || '' + datum['{name}'] === {parameter(name)})" for name in fields]
    # As the class of the channel: to find it for an alt.condition, Altair hashes its whole schema, once for each mark.
    return alt.OpacityValue(faded, condition={"test": " && ".join(tests), "value": shown})


@dataclass(frozen=True)
class FigureMaker:
    """A function that draws figures, the question they answer, and the tables without which it cannot."""

    question: str
    name: str
    needs: tuple[str, ...]
    draw: Callable[[Tables], list[Figure]]
    unasked: bool = False
    """A run without its tables never asked for it, and misses nothing."""
