"""The tokenizer: byte-level BPE trained on the run's text, or a pretrained one."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_scripts.errors import UserError
from workflow_scripts.storage.folders import checked_folder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

END_OF_TEXT = "<|endoftext|>"


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> "PreTrainedTokenizerBase":
    """Byte-level BPE as in GPT-2; `<|endoftext|>` (id 0) ends a document and pads a row."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        pad_token=END_OF_TEXT,
        model_max_length=int(1e9),
    )


def load_tokenizer(name_or_folder: str, revision: str | None = None) -> "PreTrainedTokenizerBase":
    """A tokenizer from the Hub or a folder; it must have an end-of-text token, which is also the padding."""
    tokenizer: PreTrainedTokenizerBase
    with checked_folder(name_or_folder, "tokenizer"):
        if (Path(name_or_folder) / "tokenizer.json").is_file():
            # A tokenizer saved by the workflow needs no model code, whose import would take longer than most uses.
            from transformers import PreTrainedTokenizerFast

            tokenizer = PreTrainedTokenizerFast.from_pretrained(name_or_folder)
        else:
            from transformers import AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(
                name_or_folder, revision=revision, trust_remote_code=False
            )
    if tokenizer.eos_token_id is None:
        raise no_end_of_text(name_or_folder)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def no_end_of_text(name_or_folder: str) -> UserError:
    return UserError(f"the tokenizer {name_or_folder} has no end-of-text token; use one that has")


def end_of_text_of(tokenizer: str) -> int:
    """The end-of-text token of the tokenizer that made some rows."""
    token: int = load_tokenizer(tokenizer).eos_token_id
    return token
