import pytest

from workflow_scripts.tokens.tokenizer import train_tokenizer


@pytest.fixture(scope="session")
def tokenizer():
    return train_tokenizer(["the quick brown fox jumps over the lazy dog, and then the dog jumps"] * 20, 300)
