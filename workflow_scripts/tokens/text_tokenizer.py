"""The run's tokenizer for programs without a model; importing transformers would take most of their time."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from workflow_scripts.storage.folders import checked_folder
from workflow_scripts.tokens.tokenizer import load_tokenizer, no_end_of_text

if TYPE_CHECKING:
    from workflow_scripts.tokens.known_words import KnownWords

# Characters from which on looking words up is faster than the library, whose start takes no time.
_LONG = 1 << 21


class TextTokenizer(Protocol):
    """The interface of a tokenizer for rows and texts; those of transformers implement it."""

    @property
    def eos_token_id(self) -> int: ...
    @property
    def pad_token_id(self) -> int: ...
    @property
    def all_special_ids(self) -> list[int]: ...
    def __len__(self) -> int: ...
    def __call__(self, texts: list[str], /, *, add_special_tokens: bool, verbose: bool) -> Any: ...
    def batch_decode(
        self, rows: list[list[int]], /, *, skip_special_tokens: bool, clean_up_tokenization_spaces: bool
    ) -> list[str]: ...


@dataclass(frozen=True)
class SavedTokenizer:
    """The tokenizer of a folder with `tokenizer.json`; its results equal those of `load_tokenizer`."""

    backend: Tokenizer
    eos_token_id: int
    pad_token_id: int

    @property
    def all_special_ids(self) -> list[int]:
        return sorted(
            number for number, token in self.backend.get_added_tokens_decoder().items() if token.special
        )

    def __len__(self) -> int:
        return int(self.backend.get_vocab_size(with_added_tokens=True))

    def __call__(
        self, texts: list[str], /, *, add_special_tokens: bool = True, verbose: bool = True
    ) -> dict[str, list[list[int]]]:
        encodings = self.backend.encode_batch_fast(texts, add_special_tokens=add_special_tokens)
        return {"input_ids": [encoding.ids for encoding in encodings]}

    @cached_property
    def _known_words(self) -> "KnownWords | None":
        """For tokenizers that encode word by word."""
        from workflow_scripts.tokens.known_words import KnownWords, splits_as_gpt2

        return KnownWords(self.backend) if splits_as_gpt2(self.backend) else None

    def encode_long(self, texts: Sequence[str]) -> list[NDArray[np.int32]] | None:
        """The tokens of each text from those of its words; None if that does not serve."""
        is_started = "_known_words" in self.__dict__
        if not is_started and sum(map(len, texts)) < _LONG:
            return None
        return None if self._known_words is None else self._known_words.encode(texts)

    def batch_decode(
        self,
        rows: list[list[int]],
        /,
        *,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool = False,
    ) -> list[str]:
        if clean_up_tokenization_spaces:
            raise NotImplementedError("texts are decoded without cleaning up spaces")
        return [self.backend.decode(row, skip_special_tokens=skip_special_tokens) for row in rows]


def token_ids(tokenizer: TextTokenizer, texts: list[str]) -> list[NDArray[np.int32]]:
    """The tokens of each text, without special tokens around them."""
    if not texts:
        return []
    known = tokenizer.encode_long(texts) if isinstance(tokenizer, SavedTokenizer) else None
    if known is not None:
        return known
    found = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    return [np.array(ids, dtype=np.int32) for ids in found]


def open_tokenizer(folder: str | Path) -> TextTokenizer:
    """The tokenizer in a folder of the run; transformers reads those that only it supports."""
    folder = Path(folder)
    if not (folder / "tokenizer.json").is_file():
        return load_tokenizer(str(folder))
    with checked_folder(folder, "tokenizer"):
        backend = Tokenizer.from_str((folder / "tokenizer.json").read_text())
        named = json.loads((folder / "tokenizer_config.json").read_text())
    backend.no_truncation()
    backend.no_padding()
    eos, pad = (_token_id(backend, named.get(key)) for key in ("eos_token", "pad_token"))
    if eos is None:
        raise no_end_of_text(str(folder))
    return SavedTokenizer(backend, eos, eos if pad is None else pad)


def _token_id(backend: Tokenizer, token: Any) -> int | None:
    """The text of a token in `tokenizer_config.json`, where it is a text or an object."""
    text = token.get("content") if isinstance(token, dict) else token
    number: int | None = None if text is None else backend.token_to_id(text)
    return number
