"""How many tokens a corpus has if only a sample of it was tokenized."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow_scripts.storage.tables import read_json
from workflow_scripts.tokens.rows import token_portions


def size_of(side: str, manifest: Path, rows: Path) -> dict[str, Any]:
    """Size of one side of a corpus, in the tokens of its rows.

    Bytes per token are those of the rows' documents. The size of a sampled corpus is the bytes that were read, with
    duplicates, because only those within the sample are known.
    """
    described: Mapping[str, Any] = read_json(manifest)
    of_rows = sum(int(n_tokens.sum()) for _, n_tokens in token_portions(rows))
    encoded = described["bytes"][side]
    whole = described.get("sampled_from")
    everything = whole["bytes"] if whole else encoded
    bytes_per_token = encoded / of_rows
    return {
        "tokens": round(everything / bytes_per_token),
        "bytes": int(everything),
        "bytes_per_token": bytes_per_token,
        "documents": int(whole["documents"]) if whole else described["documents"][side],
        "sampled_documents": described["documents"][side],
        "sampled_bytes": int(encoded),
    }
