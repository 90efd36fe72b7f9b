"""All figures that the tables allow, and why the others are left out."""

from workflow_scripts.report.figure import Figure, Tables
from workflow_scripts.report.figures import FIGURES


def draw_figures(tables: Tables) -> tuple[list[Figure], list[str]]:
    """Figures in the order of the page, and one line per figure that could not be drawn."""
    drawn: list[Figure] = []
    left_out: list[str] = []
    for maker in FIGURES:
        absent = [name for name in maker.needs if name not in tables or tables[name].empty]
        figures = [] if absent else maker.draw(tables)
        if absent:
            left_out.append(
                f"Figure {maker.name}: needs the table {' and '.join(absent)}, which this run lacks."
            )
        elif not figures:
            left_out.append(f"Figure {maker.name}: the tables of this run hold nothing that it could show.")
        drawn += figures
    return drawn, left_out
