"""Is a published perplexity that of one sentence? Score the sentence with the published model and compare.

EXPECTED is JSON: model, revision, sentence, perplexity, tolerance, source (published/one_sentence.json). The
perplexity is exp of the mean negative log-likelihood of all tokens except the first, as in an evaluation without
padding. It is also computed with an end-of-text token after the sentence, because documents of this workflow have one.
"""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_scripts.command_line import parser_for, run, set_threads
from workflow_scripts.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from workflow_scripts.tokens.encode import EncodedDocument

logger = logging.getLogger(__name__)


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--expected", required=True, type=Path, help="the published perplexity (JSON)")
    parser.add_argument("--model", help="folder or Hub name of a model to use instead of the published one")
    parser.add_argument("--revision", help="revision of that model on the Hub")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, type=Path, help="the result (JSON)")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    given = build_parser().parse_args(argv)
    set_threads(given.threads)
    from workflow_scripts.models.digests import library_versions
    from workflow_scripts.storage.tables import read_plain_json, write_plain_json

    expected = read_plain_json(given.expected)
    name, revision = (
        (given.model, given.revision) if given.model else (expected["model"], expected["revision"])
    )
    perplexity, with_end, tokens = perplexities(*_loaded(name, revision), expected["sentence"])
    agrees = abs(perplexity - expected["perplexity"]) <= expected["tolerance"]
    logger.info(
        "%s gives perplexity %.4f on the sentence, and %.4f was published: %s",
        name,
        perplexity,
        expected["perplexity"],
        "the published value is of this one sentence" if agrees else "they differ",
    )
    found = {
        "agrees": agrees,
        "published": expected["perplexity"],
        "tolerance": expected["tolerance"],
        "perplexity": round(perplexity, 4),
        "perplexity_with_end_of_text": round(with_end, 4),
        "tokens": tokens,
        "model": Path(name).name if Path(name).exists() else name,
        "revision": revision,
        "sentence": expected["sentence"],
        "source": expected["source"],
        "libraries": library_versions(),
    }
    write_plain_json(found, given.output)


def perplexities(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", sentence: str
) -> tuple[float, float, int]:
    """exp(mean NLL) of a sentence, without and with end-of-text after it, and its number of tokens."""
    import numpy as np

    from workflow_scripts.training.evaluation import EvaluationSet, EvaluationSettings, score

    ids = tokenizer(sentence, add_special_tokens=False)["input_ids"]
    if len(ids) < 2:
        raise UserError(f"the sentence {sentence!r} has {len(ids)} tokens; at least 2 are needed")
    documents = [_document(ids), _document([*ids, tokenizer.eos_token_id])]
    settings = EvaluationSettings(tokens=None, context=len(ids) + 1)
    totals = score(model, EvaluationSet(documents, settings))["whole"]
    alone, with_end = (
        float(np.exp(nll / (len(document.input_ids) - 1)))
        for nll, document in zip(totals, documents, strict=True)
    )
    return alone, with_end, len(ids)


def _document(ids: list[int]) -> "EncodedDocument":
    import numpy as np

    from workflow_scripts.tokens.encode import EncodedDocument

    return EncodedDocument("sentence", np.array(ids, np.int32), np.ones(len(ids), dtype=bool), 0, 0)


def _loaded(name: str, revision: str | None) -> tuple["PreTrainedModel", "PreTrainedTokenizerBase"]:
    from workflow_scripts.models.loading import load_model
    from workflow_scripts.tokens.tokenizer import load_tokenizer

    try:
        return load_model(name, revision), load_tokenizer(name, revision)
    except (UserError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"the weights of {name} could not be downloaded ({reason}); put GPT-2's model.safetensors, config.json and "
            "tokenizer.json in a folder, and name it in --model, or in probe.model.pretrained of the config"
        ) from error


if __name__ == "__main__":
    run(main)
