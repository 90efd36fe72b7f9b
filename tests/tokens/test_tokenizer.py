from workflow_scripts.tokens.tokenizer import END_OF_TEXT, load_tokenizer, train_tokenizer


def test_a_trained_tokenizer_is_the_same_twice_and_after_saving(tmp_path):
    texts = ["alpha beta gamma", "beta gamma delta é ∀x", "gamma\n\tdelta"] * 5
    one, two = train_tokenizer(texts, 300), train_tokenizer(texts, 300)
    one.save_pretrained(tmp_path)
    back = load_tokenizer(str(tmp_path))
    assert one.get_vocab() == two.get_vocab() == back.get_vocab()
    for text in ["beta gamma é ∀x", "unseen 日本語 text"]:
        ids = one(text)["input_ids"]
        assert ids == back(text)["input_ids"]
        assert back.decode(ids) == text


def test_end_of_text_is_token_zero_and_pads():
    tokenizer = train_tokenizer(["some text"], 300)
    assert tokenizer.eos_token == tokenizer.pad_token == END_OF_TEXT
    assert tokenizer.eos_token_id == tokenizer.pad_token_id == 0
