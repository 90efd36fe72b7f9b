"""Check a config against its JSON schema, fill in the defaults, and report each mistake in one line."""

import copy
import difflib
import functools
import json
import math
from collections.abc import Iterator
from typing import Any

import yaml
from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError, best_match

from workflow_scripts.errors import UserError
from workflow_scripts.plan.experiments import is_recorded
from workflow_scripts.workflow_files import ROOT

LARGEST = 2**53  # the integers that are exact in JSON

SCHEMA = ROOT / "schemas" / "config.schema.yaml"


@functools.cache
def schema() -> dict[str, Any]:
    return yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))


def with_defaults(config: dict[str, Any]) -> dict[str, Any]:
    """A copy of the config that the schema accepts, with every default filled in."""
    filled = copy.deepcopy(config)
    for part in _merged_parts(filled):
        for key in [key for key, value in part.items() if value is None]:
            del part[key]
    _refuse_strange_values(filled, "")
    _check(filled, schema(), "")
    for name, corpus in filled["corpora"].items():
        _check_definition(corpus, f"{corpus['source']}_corpus", f"corpora.{name}")
    for experiment in filled["experiments"]:
        kind = "recorded" if is_recorded(experiment) else "trained"
        _check_definition(experiment, f"{kind}_experiment", f"experiments.{experiment['name']}")
    for question in filled["questions"]:
        _check_definition(question, f"{question['kind']}_question", f"questions.{question['name']}")
    return filled


def _check_definition(value: Any, name: str, where: str) -> None:
    definitions = schema()["$defs"]
    _check(value, {**definitions[name], "$defs": definitions}, where)


def _refuse_strange_values(value: Any, where: str) -> None:
    """Values that YAML allows but no key accepts: NaN, infinity, integers too large for JSON, control characters."""
    if isinstance(value, dict):
        for key, part in value.items():
            _refuse_strange_values(str(key), f"the key {str(key)!r}")
            _refuse_strange_values(part, f"{where}.{key}" if where else str(key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            _refuse_strange_values(part, f"{where}.{index}")
    elif isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{where} = {value}: must be a finite number")
    elif isinstance(value, int) and abs(value) > LARGEST:
        raise UserError(f"{where} = {str(value)[:20]}...: must be at most {LARGEST} in size")
    elif isinstance(value, str) and ("\0" in value or "\x1b" in value):
        raise UserError(f"{where} = {value!r}: must not hold control characters")


def _merged_parts(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Models and corpora have keys that exclude each other. An overlay cannot remove a key, so null does it."""
    for name in ("corpora", "recipes"):
        entries = config.get(name)
        for entry in entries.values() if isinstance(entries, dict) else []:
            part = entry.get("model") if name == "recipes" and isinstance(entry, dict) else entry
            if isinstance(part, dict):
                yield part
    probe = config.get("probe")
    if isinstance(probe, dict) and isinstance(probe.get("model"), dict):
        yield probe["model"]


def _check(value: Any, definition: dict[str, Any], where: str) -> None:
    error = best_match(_FillingValidator(definition).iter_errors(value))
    if error is not None:
        raise UserError(_one_line(error, where))


def _fill_defaults(validator: Any, properties: dict[str, Any], instance: Any, parent: dict[str, Any]) -> Any:
    if isinstance(instance, dict):
        for key, definition in properties.items():
            if "default" in definition:
                instance.setdefault(key, copy.deepcopy(definition["default"]))
            elif "$ref" in definition:
                target = schema()["$defs"][definition["$ref"].rpartition("/")[2]]
                if "default" in target:
                    instance.setdefault(key, copy.deepcopy(target["default"]))
    yield from Draft202012Validator.VALIDATORS["properties"](validator, properties, instance, parent)


def _match_whole(validator: Any, pattern: str, instance: Any, parent: dict[str, Any]) -> Any:
    """In Python `$` also matches before a final line break, which no name may have."""
    if isinstance(instance, str) and instance.endswith("\n"):
        yield ValidationError(f"{instance!r} ends in a line break")
    yield from Draft202012Validator.VALIDATORS["pattern"](validator, pattern, instance, parent)


# JSON schema counts 1e308 as an integer; the programs that read it would not.
_TYPES = Draft202012Validator.TYPE_CHECKER.redefine(
    "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
)
_FillingValidator = validators.extend(
    Draft202012Validator, {"properties": _fill_defaults, "pattern": _match_whole}, type_checker=_TYPES
)


def _one_line(error: ValidationError, where: str) -> str:
    path = ".".join([*([where] if where else []), *map(str, error.absolute_path)])
    if error.validator == "additionalProperties" and isinstance(error.schema, dict):
        known = list(error.schema.get("properties", {}))
        unknown = next(key for key in error.instance if key not in known)
        near = difflib.get_close_matches(str(unknown), known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        name = f"{path}.{unknown}" if path else str(unknown)
        return f"{name}: unknown key{hint} (allowed: {', '.join(known)})"
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        return f"{path or 'config'}: the key {missing} is missing"
    value = json.dumps(error.instance, default=str)
    if len(value) > 60:
        value = value[:57] + "..."
    allowed = {
        "enum": lambda v: "allowed: " + ", ".join(map(str, v)),
        "type": lambda v: "must be of type " + (v if isinstance(v, str) else " or ".join(v)),
        "minimum": lambda v: f"must be at least {v}",
        "exclusiveMinimum": lambda v: f"must be greater than {v}",
        "maximum": lambda v: f"must be at most {v}",
        "minItems": lambda v: f"must have at least {v} item" + ("s" if v > 1 else ""),
        "minProperties": lambda v: f"must have at least {v} entry",
        "uniqueItems": lambda v: "must not name anything twice",
        "pattern": lambda v: f"must match {v}",
        "oneOf": lambda v: (
            "must have exactly one of "
            + ", ".join(str(o["required"][0]) for o in v)
            + " (an overlay adds keys; set a key to null to remove it)"
        ),
    }.get(str(error.validator), lambda v: error.message)(error.validator_value)
    return f"{path} = {value}: {allowed}"
