"""Warnings about a ranking: one sentence each, with what to do."""

from collections.abc import Mapping
from typing import Any

from workflow_scripts.choosing.measured import Measured

# Tokens per batch when the worth of a token was compared with losses.
BATCH_TOKENS = 4096
MOST_OF_IT = 0.5
DAMAGED = 0.01
REPEATED = 0.1


def of_target(measured: Measured) -> list[str]:
    """Warnings about the target's text and the measure."""
    found = [
        warning for survey in list(measured.surveys.values())[:1] for warning in _mixed(survey["target"])
    ]
    rows = measured.of(measured.metrics[0])
    tokens = int(rows["tokens"].iloc[0])
    if tokens < BATCH_TOKENS:
        found.append(
            f"There is little text: alignments compare {tokens} tokens with {tokens} at a time instead of "
            f"{BATCH_TOKENS}, so differences in worth are understated."
        )
    own = measured.sizes[f"{measured.target}.eval"]
    if own["documents"] == 1:
        found.append("It is one document, so its topic may matter more than its kind of text.")
    return found


def of_candidate(measured: Measured, name: str) -> list[str]:
    """Warnings about one candidate, worst first."""
    survey = measured.surveys.get(name)
    found = _leaks(survey, measured.target) if survey else []
    twins = _twins(measured, name)
    if twins:
        found.append(f"It has the same alignments as {' and '.join(twins)}, so probably the same text.")
    if survey:
        found += _unlike_the_target(survey) + _mixed(survey) + _damage(survey)
    sample = measured.sizes[f"{name}.train"]
    tokens = int(measured.of(measured.metrics[0])["tokens"].iloc[0])
    if sample["tokens"] < 8 * tokens:
        found.append(f"It has only {sample['tokens']} tokens, so its interval is rough.")
    return found


def _leaks(survey: Mapping[str, Any], target: str) -> list[str]:
    count, of_target = survey["leaks"]["target_rows"], survey["target"]["rows"]
    if not count:
        return []
    if count == of_target:
        return [f"Every row of {target} recurs in it: use other text as the target, or other training data."]
    rows = "1 row" if count == 1 else f"{count} rows"
    recur = "recurs" if count == 1 else "recur"
    return [
        f"{rows} of {of_target} of {target} {recur} in it: leave them out of training, or the evaluation is "
        "contaminated. Its worth is probably overstated."
    ]


def _twins(measured: Measured, name: str) -> list[str]:
    """Candidates with exactly the same alignment; different texts never agree to the last digit."""
    values = measured.of(measured.metrics[0])["alignment"]
    return [other for other in measured.candidates if other != name and values[other] == values[name]]


def _unlike_the_target(survey: Mapping[str, Any]) -> list[str]:
    own, target = survey["main_script"], survey["target"]["main_script"]
    if own is not None and target is not None and own != target and survey["main_script_share"] >= MOST_OF_IT:
        return [
            f"{survey['main_script_share']:.0%} of its letters are {own}, and those of the target {target}."
        ]
    own, target = _main_language(survey), _main_language(survey["target"])
    if own is not None and target is not None and own != target:
        return [f"{survey['languages'][own]:.0%} of it is in {own}, and the target is in {target}."]
    return []


def _main_language(survey: Mapping[str, Any]) -> str | None:
    """The language of most of the words; None if there is none, as in code."""
    return next((language for language, share in survey["languages"].items() if share >= MOST_OF_IT), None)


def _mixed(survey: Mapping[str, Any]) -> list[str]:
    """Text in several languages, or scripts if its languages are unknown; one measure of it says little about each."""
    if len(survey["languages"]) > 1:
        what, shares = "It is in several languages", survey["languages"]
    elif survey["other_scripts"]:
        shares = {survey["main_script"]: survey["main_script_share"], **survey["other_scripts"]}
        what = "Its letters are mixed"
    else:
        return []
    parts = [f"{shares[name]:.0%} {name}" for name in sorted(shares, key=lambda name: -shares[name])]
    return [
        f"{what} ({', '.join(parts)}): split it by language and rank the parts, because one number for all of it "
        "fits none."
    ]


def _damage(survey: Mapping[str, Any]) -> list[str]:
    found = []
    if survey["damaged_rows"] > DAMAGED:
        found.append(
            f"{survey['damaged_rows']:.0%} of its rows have characters of a wrong encoding: save it as UTF-8 again."
        )
    if survey["duplicates"]["rows"] > REPEATED * survey["rows"]:
        found.append(f"{survey['duplicates']['rows'] / survey['rows']:.0%} of its rows repeat other rows.")
    skipped = sum(survey["skipped"].values())
    if skipped > REPEATED * (survey["rows"] + skipped):
        reasons = ", ".join(f"{count} {why}" for why, count in sorted(survey["skipped"].items()))
        found.append(f"Rows were left out: {reasons}.")
    return found
