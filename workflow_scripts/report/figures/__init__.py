"""Every figure of the page, in its order. A figure called NAME, or NAME_<experiment>, is drawn by NAME.py here."""

from workflow_scripts.report.figure import FigureMaker
from workflow_scripts.report.figures.alignment_and_loss import alignment_and_loss
from workflow_scripts.report.figures.alignment_matrix import alignment_matrix
from workflow_scripts.report.figures.intervention_surface import intervention_surface
from workflow_scripts.report.figures.metric_league import metric_league
from workflow_scripts.report.figures.mixture_curves import mixture_curves
from workflow_scripts.report.figures.published_and_ours import published_and_ours
from workflow_scripts.report.figures.published_pairs import published_pairs

FIGURES = (
    FigureMaker("alignment_and_loss", ("points", "correlation"), alignment_and_loss),
    FigureMaker("metric_league", ("correlation",), metric_league),
    FigureMaker("intervention_surface", ("loss_summary",), intervention_surface),
    FigureMaker("mixture_curves", ("loss_summary", "alignment"), mixture_curves),
    FigureMaker("alignment_matrix", ("alignment",), alignment_matrix),
    FigureMaker("published_pairs", ("published_points", "published"), published_pairs),
    FigureMaker("published_and_ours", ("published", "correlation"), published_and_ours),
)
