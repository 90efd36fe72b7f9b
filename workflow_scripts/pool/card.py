"""The dataset card of the chosen rows: a README in the format of the Hub and `datasets`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from workflow_scripts.pool.chosen_table import OWN, PREFIX

_COLUMNS = {
    "row_id": "name of the row: its file, and its number there from 0",
    "source": "entry of the pool",
    "source_row": "number of the row in its file",
    "source_file": "path of the file below the common folder of the entry",
    "score": "higher is nearer to the target",
    "rank": "1 is the best row",
}


def card(summary: Mapping[str, Any], output: Path, beside: Path) -> str:
    """The text of the card; `beside` is its folder."""
    chosen = summary["chosen"]
    file = Path(os.path.relpath(output, beside.parent)).as_posix()
    loader = "json" if output.name.endswith(".jsonl") else "parquet"
    head = {
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": file}]}],
        "license": "other",
        "license_name": "as-stated-by-source",
        "tags": ["data-selection"],
    }
    sources = [
        f"| {name} | {one['rows']:,} | {one['chosen_rows']:,} | {one['chosen_tokens']:,} | {one['share']:.1%} "
        f"| {_cell(one['licence'])} |"
        for name, one in summary["sources"].items()
    ]
    notes = [f"- {note}" for note in summary["notes"]]
    lines = [
        "---",
        yaml.safe_dump(head, sort_keys=True).rstrip(),
        "---",
        "",
        "# Chosen training rows",
        "",
        f"{chosen['rows']:,} rows with about {chosen['tokens']:,} tokens, chosen from {summary['rows']:,} rows because "
        f"they are nearest to a target of {summary['target']['rows']:,} rows.",
        "",
        "| source | rows in the pool | rows chosen | tokens chosen | share | licence as stated |",
        "|---|--:|--:|--:|--:|---|",
        *sources,
        "",
        "## How",
        "",
        f"- Score: {summary['rules']['score']}.",
        f"- The best rows until {summary['budget']:,} tokens were reached; a token is assumed to have "
        f"{summary['bytes_per_token']:g} bytes.",
        f"- Never chosen: {summary['leaks']['rows']:,} rows that repeat one of {summary['leaks']['target_rows']:,} "
        f"target rows ({summary['rules']['leaks']}).",
        f"- Left out: {summary['duplicates']['equal']:,} rows with the words of a chosen row, and "
        f"{summary['duplicates']['near']:,} near-copies ({summary['rules']['near_copies']}).",
        *notes,
        "",
        "## Columns",
        "",
        "| column | |",
        "|---|---|",
        *(f"| `{name}` | {_COLUMNS[name]} |" for name in OWN.names),
        "",
        "All other columns are those of the row. A column that its file lacks is null. A column with one of the "
        f"names above gets the prefix `{PREFIX}`.",
        "",
        "## Load",
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        f'rows = load_dataset("{loader}", data_files="{file}", split="train")',
        "```",
        "",
    ]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
