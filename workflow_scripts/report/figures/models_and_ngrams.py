"""Loss of trained models against loss of n-gram models of the same tokens, one figure per experiment."""

import altair as alt
import pandas as pd

from workflow_scripts.report.figure import Figure, Legend, Panel, Tables, chart, layered, unless_isolated
from workflow_scripts.report.headline import (
    MOST_TRAIN_SETS,
    PART_NAMES,
    experiments_and_parts,
    largest_budget,
    main_part,
)
from workflow_scripts.report.look import INK, QUIET, category_entries
from workflow_scripts.report.ngram_sentences import ngram_sentences
from workflow_scripts.report.wording import count, plain, sentence
from workflow_scripts.statistics.ngram_gaps import ngram_gaps

COLUMNS = ["part", "train_set", "eval_set", "tokens", "loss", "ngram_loss", "better_by", "is_own"]


def models_and_ngrams(tables: Tables) -> list[Figure]:
    """Figures at the largest budget with both kinds of models; one panel per part."""
    gaps = largest_budget(ngram_gaps(tables["loss_summary"], tables["ngram_summary"]))
    figures = []
    for experiment, rows in gaps.groupby("experiment", sort=False):
        train_sets = list(dict.fromkeys(rows["train_set"]))
        if len(train_sets) > MOST_TRAIN_SETS:
            continue
        legend = Legend("train_set", "Training set", category_entries(train_sets))
        parts = [part for _, part in experiments_and_parts(rows)]
        main = rows[rows["part"] == main_part(rows, str(experiment))]
        figures.append(
            Figure(
                name=f"models_and_ngrams_{experiment}",
                title=f"Are the models better than counting n-grams? {plain(str(experiment))}",
                summary=f"{sentence(PART_NAMES[main['part'].iloc[0]])}. {' '.join(ngram_sentences(main))}",
                data=rows[COLUMNS].reset_index(drop=True),
                panels=tuple(_panel(part, rows[rows["part"] == part], legend) for part in parts),
                legends=(legend,),
                columns=2,
            )
        )
    return figures


def _panel(part: str, rows: pd.DataFrame, legend: Legend) -> Panel:
    base = chart().transform_filter(f"datum.part === '{part}'")
    order = int(rows["order"].iloc[0])
    scale = alt.Scale(zero=False, nice=False, padding=10)
    x = alt.X("ngram_loss:Q", title=f"loss of the {order}-gram model, nats per token", scale=scale)
    y = alt.Y("loss:Q", title="loss of the models, nats per token", scale=scale)
    equal = base.mark_line(color=QUIET, strokeWidth=1, strokeDash=[4, 3]).encode(
        x=x, y=alt.Y("ngram_loss:Q", scale=scale)
    )
    marks = base.mark_point(size=50).encode(
        x=x,
        y=y,
        color=alt.Color("train_set:N", title=legend.title, scale=legend.scale("colour"), sort=None),
        shape=alt.Shape("train_set:N", title=legend.title, scale=legend.scale("shape"), sort=None),
        opacity=unless_isolated("train_set"),
        tooltip=[
            alt.Tooltip("train_set:N", title="trained on"),
            alt.Tooltip("eval_set:N", title="evaluated on"),
            alt.Tooltip("loss:Q", format=".3f"),
            alt.Tooltip("ngram_loss:Q", title=f"loss of the {order}-gram model", format=".3f"),
            alt.Tooltip("better_by:Q", title="models are better by", format=".3f"),
        ],
    )
    own = (
        base.transform_filter("datum.is_own")
        .mark_point(size=170, filled=False, stroke=INK, strokeWidth=1)
        .encode(x=x, y=y, opacity=unless_isolated("train_set"))
    )
    tokens = count(rows["tokens"].iloc[0])
    return Panel(
        title=sentence(PART_NAMES[part]),
        subtitle=f"{tokens} tokens; dashed: equal"
        + ("; ringed: own held-out part" if rows["is_own"].any() else ""),
        description=f"Loss of models against loss of {order}-gram models of the same tokens, {PART_NAMES[part]}.",
        chart=layered(equal, marks, own if rows["is_own"].any() else None),
        height=260,
    )
