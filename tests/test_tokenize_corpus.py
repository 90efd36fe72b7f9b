"""The program: from documents to rows, in portions of any size."""

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.errors import UserError
from workflow_scripts.storage import documents as table
from workflow_scripts.storage.documents import SCHEMA, Document, as_tables, read_documents
from workflow_scripts.storage.tables import write_portions
from workflow_scripts.tokenize_corpus import main
from workflow_scripts.tokens import documents_on_disk, layouts
from workflow_scripts.tokens.rows import read_rows
from workflow_scripts.tokens.text_tokenizer import open_tokenizer
from workflow_scripts.tokens.tokenizer import train_tokenizer

WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "the",
    "lazy",
    "dog",
    "and",
    "then",
    "the",
    "dog",
    "jumps",
]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer([" ".join(WORDS)] * 20, 300).save_pretrained(folder)
    return folder


@pytest.fixture
def documents(tmp_path):
    random = np.random.default_rng(1)

    def text() -> str:
        return " ".join(random.choice(WORDS, random.integers(1, 40)))

    made = []
    for number in range(60):
        side = "train" if number % 4 else "eval"
        pair = (text(), f" {text()}") if number % 3 == 0 else (None, None)
        whole = text() if pair[0] is None else f"{pair[0]}{pair[1]}"
        made.append(Document(f"d{number}", f"o{number}", side, whole, *pair))
    path = tmp_path / "documents.parquet"
    write_portions(as_tables(made), SCHEMA, path)
    return path


def tokenize(documents, tokenizer, layout="packed", order="shuffled", split="train", length=16):
    output = documents.with_name(f"{split}.{layout}.{order}.parquet")
    main(
        [
            f"--documents={documents}",
            "--name=x",
            f"--split={split}",
            f"--layout={layout}",
            f"--tokenizer={tokenizer}",
            f"--length={length}",
            f"--order={order}",
            "--seed=5",
            f"--output={output}",
        ]
    )
    return output


def test_packed_rows_are_the_documents_in_the_order_of_pandas(documents, tokenizer):

    frame = pd.DataFrame(read_documents(documents), dtype=object)
    backend = open_tokenizer(tokenizer)
    for order in ("given", "shuffled"):
        side = frame[frame["split"] == "train"]
        side = side if order == "given" else side.sample(frac=1, random_state=5)
        stream, answers = [], []
        for document in side.itertuples():
            first = document.text if document.prompt is None else document.prompt
            second = [] if document.prompt is None else backend([document.completion])["input_ids"][0]
            (head,) = backend([first])["input_ids"]
            ids = [*head, *second, backend.eos_token_id]
            stream += ids
            answers += [document.prompt is None or at >= len(head) for at in range(len(ids))]
        rows = read_rows(tokenize(documents, tokenizer, order=order))
        assert rows.input_ids.reshape(-1).tolist() == stream[: len(stream) // 16 * 16]
        assert rows.loss_mask.reshape(-1).tolist() == answers[: len(stream) // 16 * 16]
        assert rows.row_ids[:2] == ["x.train/0000000", "x.train/0000001"]


@pytest.mark.parametrize("layout", ["packed", "documents"])
@pytest.mark.parametrize("order", ["given", "shuffled"])
def test_portions_change_nothing(documents, tokenizer, monkeypatch, layout, order):
    whole = read_rows(tokenize(documents, tokenizer, layout, order))
    for module, limits in {table: ["_ROWS"], layouts: ["_ROWS"], documents_on_disk: ["_AT_ONCE"]}.items():
        for limit in limits:
            monkeypatch.setattr(module, limit, 3)
    write_portions(as_tables(list(read_documents(documents))), SCHEMA, documents)
    few = read_rows(tokenize(documents, tokenizer, layout, order))
    assert (few.row_ids, few.doc_ids) == (whole.row_ids, whole.doc_ids)
    for field in ("input_ids", "n_tokens", "loss_mask"):
        np.testing.assert_array_equal(getattr(few, field), getattr(whole, field))


def test_too_little_text_is_one_sentence_and_leaves_no_file(documents, tokenizer):
    with pytest.raises(UserError, match="the train side has fewer than 100000 tokens"):
        tokenize(documents, tokenizer, length=100000)
    write_portions(as_tables([Document("a", "a", "train", "the dog")]), SCHEMA, documents)
    with pytest.raises(UserError, match="no document on the eval side"):
        tokenize(documents, tokenizer, split="eval")
    assert [entry.name for entry in documents.parent.iterdir()] == ["documents.parquet"]
