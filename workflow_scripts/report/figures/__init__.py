"""Every figure of the page, in its order. A figure called NAME, or NAME_<experiment>, is drawn by NAME.py here."""

from workflow_scripts.metrics.pairs import MOST_SETS
from workflow_scripts.report.figure import FigureMaker
from workflow_scripts.report.figures.alignment_and_loss import alignment_and_loss
from workflow_scripts.report.figures.alignment_matrix import alignment_matrix
from workflow_scripts.report.figures.cost_and_skill import cost_and_skill
from workflow_scripts.report.figures.effective_tokens_and_loss import effective_tokens_and_loss
from workflow_scripts.report.figures.exchange_rate import exchange_rate
from workflow_scripts.report.figures.four_views import four_views
from workflow_scripts.report.figures.intervention_surface import intervention_surface
from workflow_scripts.report.figures.leave_one_out import leave_one_out
from workflow_scripts.report.figures.loss_collapse import loss_collapse
from workflow_scripts.report.figures.metric_differences import metric_differences
from workflow_scripts.report.figures.metric_league import metric_league
from workflow_scripts.report.figures.mixture_curves import mixture_curves
from workflow_scripts.report.figures.mixture_ranking import mixture_ranking
from workflow_scripts.report.figures.models_and_ngrams import models_and_ngrams
from workflow_scripts.report.figures.predicted_and_real_loss import predicted_and_real_loss
from workflow_scripts.report.figures.predictions import predictions
from workflow_scripts.report.figures.probe_spread import probe_spread
from workflow_scripts.report.figures.proxies_and_skill import proxies_and_skill
from workflow_scripts.report.figures.published_and_ours import published_and_ours
from workflow_scripts.report.figures.published_pairs import published_pairs
from workflow_scripts.report.figures.rows_curve import rows_curve
from workflow_scripts.report.figures.switches import switches
from workflow_scripts.report.figures.token_worth import token_worth

WORTH = "What are these tokens worth?"
PREDICTION = "Does alignment predict loss?"
SIZE = "Alignment or size?"
CHOICE = "Which data should one train on?"
LIKENESS = "Which sets are alike?"
PUBLISHED = "What did the paper have?"
DEFECTS = "What does each defect change?"

# Of recorded experiments: losses that others measured.
RECORDED = ("effective_tokens", "effective_token_differences", "token_worth")

FIGURES = (
    FigureMaker(WORTH, "token_worth", ("token_worth", "effective_tokens"), token_worth, unasked=True),
    FigureMaker(WORTH, "mixture_ranking", RECORDED, mixture_ranking, unasked=True),
    FigureMaker(WORTH, "proxies_and_skill", RECORDED, proxies_and_skill, unasked=True),
    FigureMaker(
        WORTH,
        "predicted_and_real_loss",
        (*RECORDED, "predicted_losses"),
        predicted_and_real_loss,
        unasked=True,
    ),
    FigureMaker(
        WORTH,
        "effective_tokens_and_loss",
        (*RECORDED, "effective_token_points"),
        effective_tokens_and_loss,
        unasked=True,
    ),
    FigureMaker(PREDICTION, "alignment_and_loss", ("points", "correlation"), alignment_and_loss),
    FigureMaker(PREDICTION, "metric_league", ("correlation",), metric_league),
    FigureMaker(PREDICTION, "probe_spread", ("probe_spread",), probe_spread, unasked=True),
    FigureMaker(PREDICTION, "rows_curve", ("rows_curve",), rows_curve, unasked=True),
    FigureMaker(PREDICTION, "four_views", ("correlation", "choice"), four_views),
    FigureMaker(PREDICTION, "predictions", ("predictions",), predictions, unasked=True),
    FigureMaker(PREDICTION, "metric_differences", ("metric_differences",), metric_differences),
    FigureMaker(PREDICTION, "leave_one_out", ("leave_one_out", "correlation"), leave_one_out),
    FigureMaker(PREDICTION, "models_and_ngrams", ("ngram_summary",), models_and_ngrams, unasked=True),
    FigureMaker(SIZE, "intervention_surface", ("loss_summary",), intervention_surface),
    FigureMaker(SIZE, "exchange_rate", ("exchange_rate",), exchange_rate),
    FigureMaker(
        SIZE, "loss_collapse", ("loss_collapse", "loss_collapse_curves"), loss_collapse, unasked=True
    ),
    FigureMaker(SIZE, "mixture_curves", ("loss_summary", "alignment"), mixture_curves),
    FigureMaker(CHOICE, "cost_and_skill", ("choice",), cost_and_skill),
    FigureMaker(
        LIKENESS,
        "alignment_matrix",
        ("alignment",),
        alignment_matrix,
        why_none=f"it cannot show more than {MOST_SETS} training or evaluation sets; "
        "alignment/alignment.parquet has their alignments",
    ),
    FigureMaker(PUBLISHED, "published_pairs", ("published_points", "published"), published_pairs),
    FigureMaker(PUBLISHED, "published_and_ours", ("published", "correlation"), published_and_ours),
    FigureMaker(DEFECTS, "switches", ("switches",), switches),
)
