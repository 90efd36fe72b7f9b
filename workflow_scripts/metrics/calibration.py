"""A scale that belongs only to the target, so that the order of sources is kept.

0 is what uniform random tokens reach, the floor; 1 is what disjoint batches of the target reach with each
other, the ceiling.
"""

import pandas as pd

NO_SCALE = "this measure has no scale: real texts can be less alike by it than random tokens are to them"
CALIBRATED = {"calibrated": "alignment", "calibrated_low": "ci_low", "calibrated_high": "ci_high"}


def calibrate(
    alignments: pd.DataFrame, floors: dict[str, float], floor_set: str, has_scale: bool
) -> pd.DataFrame:
    """Add floor, ceiling, calibrated values and the reason where there are none.

    `alignments` holds source, target, alignment, ci_low, ci_high of one metric for all pairs of sets;
    `floors` the alignment of `floor_set` to each target. Where the floor is not below every other source,
    itself included, the scale would rank real text below noise, and the calibrated columns stay empty. So they do
    for every target of a measure without a scale. The interval is moved along with the point: that floor and ceiling
    are estimates too is not in it.
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
