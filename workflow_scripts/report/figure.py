"""A figure: data, panels drawn from the data, legends, and a summary for the reader."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import altair as alt
import pandas as pd

Tables = Mapping[str, pd.DataFrame]
# Altair's chart types have no common base class with sizes.
AnyChart = Any

# Charts refer to their data by name, so page and files can each insert the values once.
DATA = "figure"


def chart() -> alt.Chart:
    """An empty chart of the figure's data."""
    return alt.Chart(alt.NamedData(name=DATA))


@dataclass(frozen=True)
class LegendEntry:
    """One value of a field: its name, and the look of its marks (without colour and shape: only the name)."""

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
        """The scale that gives marks the colours or shapes of the legend."""
        looks = [getattr(entry, channel) for entry in self.entries]
        return alt.Scale(domain=[entry.value for entry in self.entries], range=looks)


@dataclass(frozen=True)
class Panel:
    """One view of a figure: a chart without size, a heading, and a description for readers who cannot see it."""

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
    """Used in the names of its files and as its id in the page."""
    title: str
    summary: str
    """A summary in sentences made from the numbers."""
    data: pd.DataFrame
    panels: tuple[Panel, ...]
    legends: tuple[Legend, ...] = ()
    one_at_a_time: str = ""
    """Label of a selector that shows one panel at a time; empty shows all of them."""
    check: bool = False
    """True for a check of another figure: collapsed in the page until the reader opens it."""
    columns: int = 3
    """Panels per row, in files."""

    def csv(self) -> str:
        """The data with six significant digits; booleans as in JavaScript."""
        truths = self.data.select_dtypes("bool").columns
        spelled = self.data.astype(dict.fromkeys(truths, str))
        for name in truths:
            spelled[name] = spelled[name].str.lower()
        return spelled.to_csv(index=False, float_format="%.6g", lineterminator="\n")

    def types(self) -> dict[str, str]:
        """The types with which a script reads the columns of the CSV file."""
        kinds = {"b": "boolean", "i": "number", "u": "number", "f": "number"}
        return {str(name): kinds.get(dtype.kind, "string") for name, dtype in self.data.dtypes.items()}

    def parameters(self) -> list[dict[str, Any]]:
        """One parameter per legend: the value that is isolated, or an empty string."""
        return [{"name": parameter(legend.field), "value": ""} for legend in self.legends]


def layered(*layers: AnyChart | None) -> AnyChart:
    """Layers on top of each other. None stands for a layer without data, about which Vega would warn."""
    return alt.layer(*(layer for layer in layers if layer is not None))


def parameter(field_name: str) -> str:
    """Name of the parameter that holds the isolated value of a field."""
    return f"isolated_{field_name}"


def unless_isolated(*fields: str, shown: float = 0.9, faded: float = 0.06) -> Any:
    """Opacity of a mark: faded when a legend has isolated another value of one of the fields."""
    tests = [f"({parameter(name)} === '' || '' + datum['{name}'] === {parameter(name)})" for name in fields]
    # Uses the channel's class, because alt.condition would hash Altair's whole schema once for each mark.
    return alt.OpacityValue(faded, condition={"test": " && ".join(tests), "value": shown})


@dataclass(frozen=True)
class FigureMaker:
    """A function that draws figures, the question that they answer, and the tables that it needs."""

    question: str
    name: str
    needs: tuple[str, ...]
    draw: Callable[[Tables], list[Figure]]
    unasked: bool = False
    """True if a run without its tables did not request it; it is then not listed as missing."""
    why_none: str = "the tables of this run have no data that it could show"
    """The reason on the page if its tables are there and it draws nothing."""
