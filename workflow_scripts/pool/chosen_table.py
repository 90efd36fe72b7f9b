"""The chosen rows as a file: our columns, then all columns of the rows, from files of any format."""

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from workflow_scripts.pool.choosing import Chosen
from workflow_scripts.pool.rows import PoolEntry
from workflow_scripts.pool.spill import unpack
from workflow_scripts.storage.tables import replaced_whole, write_portions

OWN = pa.schema(
    [
        ("row_id", pa.string()),
        ("source", pa.string()),
        ("source_row", pa.int64()),
        ("source_file", pa.string()),
        ("score", pa.float64()),
        ("rank", pa.int64()),
    ]
)
PREFIX = "original_"

_Columns = dict[str, list[Any]]


def write_chosen(chosen: Chosen, entries: Sequence[PoolEntry], path: Path) -> list[str]:
    """Write Parquet or JSON lines, by the file's name; return the columns that became text as their types differ."""
    schema, as_text = _schema_of(chosen)
    whole = pa.schema(
        [*OWN, *(field.with_name(name) for field, name in zip(schema, _free_names(schema), strict=True))]
    )
    tables = (
        pa.table([*ours, *_arrays(columns, schema, as_text)], schema=whole)
        for ours, columns in zip(_own_columns(chosen, entries), _portions(chosen), strict=True)
    )
    if path.name.endswith(".jsonl"):
        _write_lines(tables, path)
    else:
        write_portions(tables, whole, path)
    return sorted(as_text)


def _portions(chosen: Chosen) -> Iterator[_Columns]:
    """The original columns of the rows, portion by portion; a row without a column has null there."""
    for portion in chosen.rows.portions():
        rows = [unpack(packed)[1] for _, packed in portion]
        names = dict.fromkeys(name for row in rows for name in row)
        yield {name: [row.get(name) for row in rows] for name in names}


def _own_columns(chosen: Chosen, entries: Sequence[PoolEntry]) -> Iterator[list[pa.Array]]:
    files = [list(entry.files.values()) for entry in entries]
    done = 0
    for portion in chosen.rows.portions():
        index = chosen.index[done : done + len(portion)]
        places = zip(index["source"].tolist(), index["file"].tolist(), strict=True)
        columns: list[Any] = [
            [unpack(packed)[0] for _, packed in portion],
            [entries[source].name for source in index["source"]],
            index["row"],
            [files[source][file] for source, file in places],
            index["score"],
            np.arange(done, done + len(portion)) + 1,
        ]
        yield [pa.array(values, field.type) for values, field in zip(columns, OWN, strict=True)]
        done += len(portion)


def _schema_of(chosen: Chosen) -> tuple[pa.Schema, set[str]]:
    """The columns with a type that fits all of their values, and the names of those that fit only text."""
    found: dict[str, pa.DataType] = {}
    as_text: set[str] = set()
    for columns in _portions(chosen):
        for name, values in columns.items():
            kind = _type_of(values)
            known = found.setdefault(name, pa.null())
            together = None if kind is None else _common(known, kind)
            if together is None:
                as_text.add(name)
            else:
                found[name] = together
    for columns in _portions(chosen):
        for name in columns.keys() - as_text:
            if _array(columns[name], found[name]) is None:
                as_text.add(name)
    kinds = {name: pa.string() if name in as_text else kind for name, kind in found.items()}
    # Parquet has no type for a column with only nulls.
    return pa.schema(
        [(name, pa.string() if kind == pa.null() else kind) for name, kind in kinds.items()]
    ), as_text


def _type_of(values: list[Any]) -> pa.DataType | None:
    try:
        kind = pa.infer_type(values)
    except (pa.ArrowException, OverflowError):
        return None
    return None if _has_empty_struct(kind) else kind


def _common(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    schemas = [pa.schema([("value", kind)]) for kind in (one, other)]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except pa.ArrowException:
        return None


def _array(values: list[Any], kind: pa.DataType) -> pa.Array | None:
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, OverflowError):
        return None


def _has_empty_struct(kind: pa.DataType) -> bool:
    """Parquet has no object without keys."""
    if pa.types.is_struct(kind) and not kind.num_fields:
        return True
    return any(_has_empty_struct(kind.field(number).type) for number in range(kind.num_fields))


def _arrays(columns: _Columns, schema: pa.Schema, as_text: set[str]) -> list[pa.Array]:
    count = len(next(iter(columns.values())))
    return [
        pa.array([_text(value) for value in values] if field.name in as_text else values, field.type)
        for field in schema
        for values in [columns.get(field.name, [None] * count)]
    ]


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _free_names(schema: pa.Schema) -> list[str]:
    """The names of columns, with a prefix if we use the same name."""
    names: list[str] = []
    for name in schema.names:
        free = name
        while free in OWN.names or free in names or (free != name and free in schema.names):
            free = PREFIX + free
        names.append(free)
    return names


def _write_lines(tables: Iterator[pa.Table], path: Path) -> None:
    with replaced_whole(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for table in tables:
            for row in table.to_pylist():
                stream.write(_line(row) + "\n")


def _line(row: dict[str, Any]) -> str:
    try:
        return json.dumps(row, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError:  # JSON has neither NaN nor infinity
        return json.dumps(_finite(row), ensure_ascii=False, default=_plain)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _plain(value: Any) -> str:
    """Values for which JSON has no type: bytes, times, decimals."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
