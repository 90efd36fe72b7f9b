"""All figures that the tables allow, and why the others are left out."""

from dataclasses import dataclass
from itertools import groupby

from workflow_scripts.report.figure import Figure, Tables
from workflow_scripts.report.figures import FIGURES


@dataclass(frozen=True)
class Section:
    """A question, and the figures that answer it."""

    question: str
    figures: tuple[Figure, ...]


def draw_figures(tables: Tables) -> tuple[list[Section], list[str]]:
    """Sections in the order of the page, and one line per figure that could not be drawn."""
    sections: list[Section] = []
    left_out: list[str] = []
    for question, makers in groupby(FIGURES, key=lambda maker: maker.question):
        drawn: list[Figure] = []
        for maker in makers:
            if maker.unasked and not any(name in tables for name in maker.needs):
                continue
            absent = [name for name in maker.needs if name not in tables or tables[name].empty]
            figures = [] if absent else maker.draw(tables)
            if absent:
                needed = " and ".join(absent)
                left_out.append(f"Figure {maker.name}: needs the table {needed}, which this run lacks.")
            elif not figures:
                left_out.append(f"Figure {maker.name}: {maker.why_none}.")
            drawn += figures
        if drawn:
            sections.append(Section(question, tuple(drawn)))
    return sections, left_out
