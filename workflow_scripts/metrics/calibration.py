"""A scale that depends only on the target, so it keeps the order of sources.

0 is the floor: the alignment of uniform random tokens. 1 is the ceiling: the alignment of disjoint batches of the
target with each other.
"""

import pandas as pd

NO_SCALE = "this measure has no scale: real texts can be less alike by it than random tokens are to them"
CALIBRATED = {"calibrated": "alignment", "calibrated_low": "ci_low", "calibrated_high": "ci_high"}


def calibrate(
    alignments: pd.DataFrame, floors: dict[str, float], floor_set: str, has_scale: bool
) -> pd.DataFrame:
    """Add floor, ceiling, calibrated values, and the reason if there are none.

    `alignments` holds source, target, alignment, ci_low, ci_high of one metric for all pairs of sets;
    `floors` the alignment of `floor_set` to each target. If the floor is not below every other source, including
    the target, the scale would rank real text below noise, so the calibrated columns stay empty. They also stay
    empty for a measure without a scale. The interval is rescaled like the value; it does not include the
    uncertainty of floor and ceiling.
    """
    parts = []
    for target, part in alignments.groupby("target", sort=True):
        floor = floors[str(target)]
        ceiling = float(part.loc[part["source"] == target, "alignment"].iloc[0])
        reason = _why_not(part, str(target), floor, floor_set) if has_scale else NO_SCALE
        scaled = {
            column: None if reason else (part[value] - floor) / (ceiling - floor)
            for column, value in CALIBRATED.items()
        }
        parts.append(part.assign(floor=floor, ceiling=ceiling, **scaled, why_not_calibrated=reason))
    return pd.concat(parts, ignore_index=True)


def _why_not(part: pd.DataFrame, target: str, floor: float, floor_set: str) -> str | None:
    if target == floor_set:
        return f"{target} is the floor itself"
    others = part[part["source"] != floor_set]
    lowest = others.loc[others["alignment"].idxmin()]
    if floor >= lowest["alignment"]:
        below = f"{lowest['source']} at {lowest['alignment']:.6g}"
        return f"the floor {floor:.6g} ({floor_set}) is not below {below}"
    return None
