"""Four views of a verdict: Pearson, ranks, out of domain, with the controls. A verdict that changes is fragile."""

import pandas as pd

PEARSON, RANKS, AWAY, CONTROLS = "Pearson", "ranks", "out of domain", "with controls"
VIEWS = (PEARSON, RANKS, AWAY, CONTROLS)
VIEW_COLUMNS = ["view", "metric", "value", "ci_low", "ci_high"]
# With one evaluation set, "within evaluation sets" means over all pairs.
_PLACES = {
    "within_eval": {
        PEARSON: ("within_eval", "pearson_r"),
        RANKS: ("within_eval", "spearman"),
        AWAY: ("out_of_domain_within", "pearson_r"),
        CONTROLS: ("with_controls_within", "pearson_r"),
    },
    "pooled": {
        PEARSON: ("pooled", "pearson_r"),
        RANKS: ("pooled", "spearman"),
        AWAY: ("out_of_domain_pooled", "pearson_r"),
        CONTROLS: ("with_controls_pooled", "pearson_r"),
    },
}


def views_of(panel: pd.DataFrame, scope: str) -> pd.DataFrame:
    """Correlations of one experiment, part and budget by view and metric; missing views are left out."""
    found = []
    for view, (name, statistic) in _PLACES[scope].items():
        rows = panel[(panel["scope"] == name) & (panel["statistic"] == statistic) & panel["value"].notna()]
        found.append(rows.assign(view=view)[VIEW_COLUMNS])
    return pd.concat(found, ignore_index=True)


def first_by_view(views: pd.DataFrame) -> dict[str, str]:
    """The measure that correlates best with loss in each view."""
    return {
        view: str(rows.loc[rows["value"].idxmin(), "metric"])
        for view in VIEWS
        if len(rows := views[views["view"] == view])
    }


def fragile(views: pd.DataFrame, metric: str) -> str:
    """Views in which a measure's relation with loss differs from Pearson's; empty if all views agree.

    The relation is its sign and, if there are intervals, whether they exclude zero.
    """
    own = views[views["metric"] == metric].set_index("view")
    if PEARSON not in own.index:
        return ""
    sign, clear = _relation(own.loc[PEARSON])
    other = []
    for view, row in own.iterrows():
        own_sign, own_clear = _relation(row)
        both = clear is not None and own_clear is not None
        if own_sign != sign or (both and own_clear != clear):
            other.append(str(view))
    return ", ".join(other)


def _relation(row: "pd.Series[float]") -> tuple[bool, bool | None]:
    """Whether r is negative, and whether its interval excludes zero (None without one)."""
    clear = None if pd.isna(row["ci_low"]) else bool(row["ci_low"] > 0 or row["ci_high"] < 0)
    return bool(row["value"] < 0), clear
