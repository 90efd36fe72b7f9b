import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.tokens.encode import EncodedDocument
from workflow_scripts.tokens.layouts import one_row_each, pack
from workflow_scripts.tokens.rows import joined, read_rows, write_rows


def document(name, ids, answer_from=0):
    ids = np.array(ids, dtype=np.int32)
    return EncodedDocument(name, ids, np.arange(len(ids)) >= answer_from, 0, 0)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(2, 7))
def test_packed_rows_are_the_stream_and_name_the_documents_in_them(lengths, length):
    offset = np.cumsum([0, *lengths])
    documents = [document(f"d{i}", range(offset[i], offset[i + 1])) for i in range(len(lengths))]
    rows = joined(list(pack(documents, length, "x.train")))
    total = sum(lengths)
    assert len(rows) == total // length
    np.testing.assert_array_equal(rows.input_ids.reshape(-1), np.arange(total // length * length))
    for ids, names in zip(rows.input_ids, rows.doc_ids, strict=True):
        inside = {f"d{np.searchsorted(offset, token, side='right') - 1}" for token in ids}
        assert set(names) == inside
    assert len(set(rows.row_ids)) == len(rows)


def test_one_row_each_cuts_pads_and_masks():
    documents = [document("a", [5, 6, 7, 8], 2), document("b", [9, 0]), document("c", [0])]
    (rows,) = one_row_each(documents, 3, 0, "x.train")
    np.testing.assert_array_equal(rows.input_ids, [[5, 6, 7], [9, 0, 0]])
    np.testing.assert_array_equal(rows.n_tokens, [3, 2])
    np.testing.assert_array_equal(rows.loss_mask, [[False, False, True], [True, True, False]])
    np.testing.assert_array_equal(rows.attention_mask, [[True, True, True], [True, True, False]])


def test_rows_survive_the_disk(tmp_path):
    (rows,) = one_row_each([document("a", [5, 6, 7, 8], 2), document("b", [9, 0])], 3, 0, "x.train")
    write_rows(rows, tmp_path / "rows.parquet")
    back = read_rows(tmp_path / "rows.parquet")
    assert (back.row_ids, back.doc_ids) == (rows.row_ids, rows.doc_ids)
    for name in ("input_ids", "n_tokens", "loss_mask"):
        np.testing.assert_array_equal(getattr(back, name), getattr(rows, name))
        assert getattr(back, name).dtype == getattr(rows, name).dtype
