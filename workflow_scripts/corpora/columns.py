"""Rows with named columns as documents: which columns are the text, or the two sides of a pair.

A spec has one of four forms: `text` (a column, the default), `template` (a plain text of several columns, such as
"{title}. {abstract}"), `prompt` and `completion` (two columns, joined by a line break), or `prompt_template` and
`completion_template` ("informal statement {nl} " and "formal statement {formal}"). Nothing is added between two
templates: the completion starts where the first one ends.

Three more keys reproduce how others cut their data: `items` (a column with a list of objects; the template is filled
once for each, joined by spaces), `characters` (documents are cut to this length), and `joined_rows` (this many rows
fill the template at once, each column as a Python list, and give one text).
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from string import Formatter
from typing import Any

from workflow_scripts.corpora.documents import SourceDocument
from workflow_scripts.errors import UserError

# A side of a document: pairs of a literal text and the column that follows it, if there is one.
Side = list[tuple[str, str | None]]

_WAYS = (("text",), ("template",), ("prompt", "completion"), ("prompt_template", "completion_template"))


class RowReader:
    """Makes documents from rows, as a spec describes; `label` names the corpus in error messages."""

    def __init__(self, spec: Mapping[str, Any], label: str):
        self.label = label
        self.row_name = ""  # of the row being read, for messages
        self.where = spec.get("where", {})
        self.object_column = spec.get("source_object")
        given = [way for way in _WAYS if any(key in spec for key in way)]
        if len(given) > 1 or (given and not all(key in spec for key in given[0])):
            allowed = ", or ".join(" with ".join(way) for way in _WAYS)
            named = ", ".join(key for way in given for key in way if key in spec)
            raise UserError(f"{label}: {named} is not a valid choice of columns; allowed are {allowed}")
        self.sides = [_side(key, spec.get(key, "text"), label) for key in (given[0] if given else ("text",))]
        self.items = spec.get("items")
        self.characters = spec.get("characters")
        self.joined_rows = spec.get("joined_rows")
        first, most = spec.get("skip", 0), spec.get("documents")
        self.wanted = (first, None if most is None else first + most)
        if self.characters and len(self.sides) > 1:
            raise UserError(f"{label}: characters cuts plain text only; remove it or {given[0][0]}")

    def documents(self, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[SourceDocument]:
        """The wanted documents of (name, row), without rows that `where` excludes or that lack a value."""
        return islice(self._all_documents(rows), *self.wanted)

    def _all_documents(self, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[SourceDocument]:
        admitted = self._admitted(rows)
        for name, row in self._joined(admitted) if self.joined_rows else admitted:
            source_object = str(self._value(row, self.object_column)) if self.object_column else name
            sides = self.sides_of(row)
            if sides is None:
                continue
            if len(sides) == 2:
                yield SourceDocument.pair(name, source_object, *sides)
            else:
                yield SourceDocument(name, source_object, *sides)

    def _admitted(
        self, rows: Iterable[tuple[str, Mapping[str, Any]]]
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for name, row in rows:
            if self.admits(name, row):
                yield name, row

    def _joined(
        self, rows: Iterator[tuple[str, Mapping[str, Any]]]
    ) -> Iterator[tuple[str, dict[str, list[Any]]]]:
        """Groups of rows, each as one row of lists named by its first row, like an f-string over a whole batch."""
        while group := list(islice(rows, self.joined_rows)):
            columns = {column: [self._value(row, column) for _, row in group] for column in group[0][1]}
            yield group[0][0], columns

    def admits(self, name: str, row: Mapping[str, Any]) -> bool:
        """Whether a row passes `where`; later messages name this row."""
        self.row_name = name
        for column, allowed in self.where.items():
            values = allowed if isinstance(allowed, list) else [allowed]
            if str(self._value(row, column)) not in map(str, values):
                return False
        return True

    def sides_of(self, row: Mapping[str, Any]) -> list[str] | None:
        """The text of a row, or both sides of a pair; None if a value is missing or empty."""
        filled = [self._fill(side, row) for side in self.sides]
        sides = [text[: self.characters] for text in filled if text is not None]
        return sides if len(sides) == len(filled) else None

    def _fill(self, side: Side, row: Mapping[str, Any]) -> str | None:
        """The side with the row's values; None when one of them is missing or empty."""
        if self.items:
            items = self._value(row, self.items) or []
            return " ".join(filter(None, (self._filled(side, item) for item in items))) or None
        return self._filled(side, row)

    def _filled(self, side: Side, row: Mapping[str, Any]) -> str | None:
        parts: list[str] = []
        for literal, column in side:
            parts.append(literal)
            if column is None:
                continue
            value = self._value(row, column)
            if value is None or value != value or not str(value).strip():  # NaN is unequal to itself
                return None
            parts.append(str(value))
        return "".join(parts)

    def _value(self, row: Mapping[str, Any], column: str) -> Any:
        if not isinstance(row, Mapping) or column not in row:
            if not isinstance(row, Mapping):
                raise UserError(
                    f"{self.label}: {self.row_name} has {row!r:.60} instead of an object with columns"
                )
            columns = ", ".join(map(str, row))
            raise UserError(
                f"{self.label}: row {self.row_name} has no column {column!r}; its columns are {columns}"
            )
        return row[column]


def _side(key: str, value: str, label: str) -> Side:
    """A parsed template, or a column; a column's name may contain characters that a template could not."""
    if key.endswith("template"):
        try:
            return [(literal, column) for literal, column, _, _ in Formatter().parse(value)]
        except ValueError as error:
            raise UserError(
                f"{label}: {key} = {value!r}: {error}; write {{{{ and }}}} for braces of the text"
            ) from None
    return [("", value), ("\n", None)] if key == "prompt" else [("", value)]
