import pandas as pd

from workflow_scripts.tokens.encode import encode_documents


def documents(*rows):
    return pd.DataFrame(rows, columns=["doc_id", "text", "prompt", "completion"], dtype=object)


def test_text_and_pairs_keep_their_words_and_end_with_eos(tokenizer):
    frame = documents(
        ("a", "the quick fox", None, None),
        ("b", "the dog jumps", "the dog", " jumps"),
        ("c", "é", None, None),
    )
    plain, pair, accent = encode_documents(tokenizer, frame, chunk=2)
    for encoded, text in ((plain, "the quick fox"), (pair, "the dog jumps"), (accent, "é")):
        assert encoded.input_ids[-1] == tokenizer.eos_token_id
        assert tokenizer.decode(encoded.input_ids[:-1]) == text
        assert encoded.n_bytes == len(text.encode())
    assert plain.answer.all()
    assert accent.n_bytes == 2


def test_the_answer_of_a_pair_is_its_completion_and_eos(tokenizer):
    (pair,) = encode_documents(tokenizer, documents(("b", "the dog jumps", "the dog", " jumps")))
    assert tokenizer.decode(pair.input_ids[pair.answer][:-1]) == " jumps"
    assert tokenizer.decode(pair.input_ids[~pair.answer]) == "the dog"
    assert pair.n_answer_bytes == len(" jumps")
