"""Rows with named columns as documents: which columns are the text, or the two sides of a pair.

A spec says it in one of four ways: `text` (a column; this is what counts when nothing is said), `template`
(a plain text made of columns, such as "{title}. {abstract}"), `prompt` and `completion` (two columns, a line
break between them), or `prompt_template` and `completion_template` ("informal statement {nl} " and
"formal statement {formal}"). Nothing is added between two templates: the border is where the first one ends.
"""

from collections.abc import Iterable, Iterator, Mapping
from string import Formatter
from typing import Any

from workflow_scripts.command_line import UserError
from workflow_scripts.corpora.documents import SourceDocument

_WAYS = (("text",), ("template",), ("prompt", "completion"), ("prompt_template", "completion_template"))


class RowReader:
    """Makes documents of rows, as a spec says; `label` names the corpus in error messages."""

    def __init__(self, spec: Mapping[str, Any], label: str):
        self.label = label
        self.where = spec.get("where", {})
        self.object_column = spec.get("source_object")
        given = [way for way in _WAYS if any(key in spec for key in way)]
        if len(given) > 1 or (given and not all(key in spec for key in given[0])):
            allowed = ", or ".join(" with ".join(way) for way in _WAYS)
            named = ", ".join(key for way in given for key in way if key in spec)
            raise UserError(f"{label}: {named} cannot stand as given; allowed are {allowed}")
        self.sides = tuple(
            self._template(key, spec.get(key, "text")) for key in (given[0] if given else ("text",))
        )

    def _template(self, key: str, value: str) -> str:
        if key.endswith("template"):
            return value
        return f"{{{value}}}\n" if key == "prompt" else f"{{{value}}}"

    def documents(self, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[SourceDocument]:
        """Documents of (name, row); rows that `where` does not admit or that lack a value are left out."""
        for name, row in rows:
            if not self._admits(row):
                continue
            source_object = str(self._value(row, self.object_column)) if self.object_column else name
            filled = [self._fill(template, row) for template in self.sides]
            if any(side is None for side in filled):
                continue
            if len(filled) == 2:
                yield SourceDocument.pair(name, source_object, str(filled[0]), str(filled[1]))
            else:
                yield SourceDocument(name, source_object, str(filled[0]))

    def _admits(self, row: Mapping[str, Any]) -> bool:
        for column, allowed in self.where.items():
            values = allowed if isinstance(allowed, list) else [allowed]
            if str(self._value(row, column)) not in map(str, values):
                return False
        return True

    def _fill(self, template: str, row: Mapping[str, Any]) -> str | None:
        """The template with the row's values; None when one of them is missing or empty."""
        parts: list[str] = []
        for literal, column, _, _ in Formatter().parse(template):
            parts.append(literal)
            if column is None:
                continue
            value = self._value(row, column)
            if value is None or not str(value).strip():
                return None
            parts.append(str(value))
        return "".join(parts)

    def _value(self, row: Mapping[str, Any], column: str) -> Any:
        if column not in row:
            raise UserError(f"{self.label}: there is no column {column!r}; the columns are {', '.join(row)}")
        return row[column]
