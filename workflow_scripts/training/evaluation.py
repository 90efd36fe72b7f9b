"""Negative log-likelihood of documents under a model, each token scored once, in a long context.

The windows rule. In a document x_0 ... x_{L-1} (ended by eos) every token except the first is scored exactly once. A
window has at most `context` tokens. Windows start at 0, stride, 2 x stride, ... The first scores all of its tokens
except x_0. Each later one scores the tokens that no earlier window had: the last `stride` of a full window. So a token
of a long document is predicted from at least `context - stride` tokens, and a document of up to `context` tokens is
one window.
"""

import inspect
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workflow_scripts.errors import UserError
from workflow_scripts.storage.content_store import content_key
from workflow_scripts.tokens.encode import EncodedDocument, encode_documents

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

logger = logging.getLogger(__name__)

PARTS = ("whole", "answer")
LAYOUTS = ("documents", "packed")
# Tokens per batch: a CPU's caches fit them, or a GPU is kept busy; logits take at most 256 MiB or 1 GiB.
TOKENS_PER_BATCH = {"cpu": 2_048, "cuda": 32_768}
LOGITS_PER_BATCH = {"cpu": 1 << 26, "cuda": 1 << 28}


@dataclass(frozen=True)
class EvaluationSettings:
    """Which documents and tokens are scored, and in which windows."""

    tokens: int | None = 8192
    """Documents are used until they have this many tokens; longer documents are skipped. Null: all documents."""
    context: int = 128
    """Longest window."""
    stride: int = 64
    """Step from one window to the next."""
    piece: int | None = None
    """Documents are cut into pieces of this many tokens, and pieces are used instead of whole documents. So many
    documents are represented, however long they are. Null: whole documents."""
    parts: tuple[str, ...] = PARTS
    """`whole` documents, and the `answer` of pairs."""
    documents: str | None = None
    """Null: whole documents in seeded order up to the cap. `first`: only the first document, as the paper did."""
    layout: str = "documents"
    """`documents`: each separately. `packed`: joined in order and cut at `context`, as the paper did."""
    seed: int = 0
    """Seed of the order of documents; packed documents keep their order."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "EvaluationSettings":
        known = [field.name for field in fields(cls)]
        for key in values:
            if key not in known:
                raise UserError(f"evaluation: unknown key {key!r}; known are {', '.join(known)}")
        settings = cls(**{**values, "parts": tuple(values.get("parts", PARTS))})
        for key, smallest in (("tokens", 2), ("context", 2), ("stride", 1), ("piece", 2), ("seed", 0)):
            value = getattr(settings, key)
            if key in ("tokens", "piece") and value is None:
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < smallest:
                raise UserError(f"evaluation: {key} is {value!r}; it must be a whole number from {smallest}")
        if settings.stride >= settings.context:
            raise UserError(
                f"evaluation: stride is {settings.stride}; it must be below the context, {settings.context}"
            )
        if not settings.parts or not set(settings.parts) <= set(PARTS):
            raise UserError(f"evaluation: parts is {values['parts']!r}; allowed are {', '.join(PARTS)}")
        if settings.layout not in LAYOUTS:
            raise UserError(f"evaluation: layout is {settings.layout!r}; allowed are {', '.join(LAYOUTS)}")
        if settings.piece is not None and (settings.layout == "packed" or settings.documents == "first"):
            raise UserError(
                "evaluation: piece cuts documents; with layout 'packed' or documents 'first' leave it null"
            )
        if settings.documents not in (None, "first"):
            raise UserError(f"evaluation: documents is {settings.documents!r}; allowed are null and 'first'")
        return settings


@dataclass(frozen=True)
class EvaluationSet:
    """The documents that every model is scored on."""

    documents: list[EncodedDocument]
    settings: EvaluationSettings

    def digest(self) -> str:
        """Digest of everything that affects the losses, except the model."""
        return content_key(
            input_ids=np.concatenate([document.input_ids for document in self.documents]),
            answer=np.concatenate([document.answer for document in self.documents]),
            lengths=np.array([len(document.input_ids) for document in self.documents]),
            settings=asdict(self.settings),
        )


def choose_documents(
    documents: pd.DataFrame, tokenizer: "PreTrainedTokenizerBase", settings: EvaluationSettings, name: str
) -> EvaluationSet:
    """Choose whole documents in seeded order until the cap is reached, including the one that crosses it.

    Leaving that one out would favour short documents, because long ones are more likely to cross. Documents longer
    than the cap itself are skipped, so a set costs less than twice the cap.
    """
    if len(documents) == 0:
        raise UserError(f"evaluation set {name!r} has no documents")
    if settings.documents == "first":
        return EvaluationSet(list(encode_documents(tokenizer, documents.iloc[:1])), settings)
    if settings.layout == "packed":
        return EvaluationSet(_blocks(documents, tokenizer, settings, name), settings)
    cap = float("inf") if settings.tokens is None else settings.tokens
    random = np.random.default_rng(settings.seed)
    order = random.permutation(len(documents))
    if settings.piece is not None:
        pieces = _pieces(documents.iloc[order], tokenizer, settings.piece, cap, random)
        if not pieces:
            raise UserError(f"evaluation set {name!r}: none of its {len(documents)} documents has 2 tokens")
        n_documents = len({piece.doc_id for piece in pieces})
        logger.info("%s: %d pieces of %d documents", name, len(pieces), n_documents)
        return EvaluationSet(pieces, settings)
    chosen: list[EncodedDocument] = []
    total = too_long = 0
    for document in encode_documents(tokenizer, documents.iloc[order], chunk=64):
        length = len(document.input_ids)
        if length > cap:
            too_long += 1
        elif length > 1:
            chosen.append(document)
            total += length
            if total >= cap:
                break
    if not chosen:
        raise UserError(
            f"evaluation set {name!r}: none of its {len(documents)} documents has 2 to {cap} tokens"
        )
    logger.info(
        "%s: %d documents, %d tokens; %d skipped as longer than the cap",
        name,
        len(chosen),
        total,
        too_long,
    )
    return EvaluationSet(chosen, settings)


def _pieces(
    documents: pd.DataFrame,
    tokenizer: "PreTrainedTokenizerBase",
    length: int,
    cap: float,
    random: np.random.Generator,
) -> list[EncodedDocument]:
    """One piece of every document before a second of any, until there are `cap` tokens.

    A document's pieces are the cuts at multiples of `length`, in an order that `random` draws. A rest of one token is
    no piece, because it has nothing to score.
    """
    chosen: list[EncodedDocument] = []
    total = 0
    waiting: Iterator[tuple[EncodedDocument, np.ndarray]] = (
        (document, random.permutation(np.arange(0, len(document.input_ids) - 1, length)))
        for document in encode_documents(tokenizer, documents, chunk=64)
    )
    while True:
        later = []
        for document, starts in waiting:
            if len(starts) == 0:
                continue
            piece = _cut(document, starts[0], starts[0] + length, tokenizer)
            chosen.append(piece)
            total += len(piece.input_ids)
            if total >= cap:
                return chosen
            later.append((document, starts[1:]))
        if not later:
            return chosen
        waiting = iter(later)


def _cut(
    document: EncodedDocument, first: int, last: int, tokenizer: "PreTrainedTokenizerBase"
) -> EncodedDocument:
    """Tokens `first:last` of a document, with the document's id, because standard errors are over documents."""
    if first == 0 and last >= len(document.input_ids):
        return document
    ids, answer = document.input_ids[first:last], document.answer[first:last]
    return EncodedDocument(document.doc_id, ids, answer, *_sizes_in_bytes(ids, answer, tokenizer))


def _sizes_in_bytes(
    ids: np.ndarray, answer: np.ndarray, tokenizer: "PreTrainedTokenizerBase"
) -> tuple[int, int]:
    """Bytes of the text of some tokens, and of the answer's tokens."""
    whole, of_answer = (
        len(str(tokenizer.decode(part, skip_special_tokens=True)).encode()) for part in (ids, ids[answer])
    )
    return whole, of_answer


def _blocks(
    documents: pd.DataFrame, tokenizer: "PreTrainedTokenizerBase", settings: EvaluationSettings, name: str
) -> list[EncodedDocument]:
    """Blocks of `context` tokens, as many as `tokens` allows; the rest at the end is dropped, as in training."""
    context = settings.context
    most = None if settings.tokens is None else max(1, settings.tokens // context)
    blocks: list[EncodedDocument] = []
    ids, answer = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=bool)
    for document in encode_documents(tokenizer, documents):
        ids, answer = np.append(ids, document.input_ids), np.append(answer, document.answer)
        while len(ids) >= context and len(blocks) != most:
            block, of_answer = ids[:context], answer[:context]
            sizes = _sizes_in_bytes(block, of_answer, tokenizer)
            blocks.append(EncodedDocument(f"block/{len(blocks):06d}", block, of_answer, *sizes))
            ids, answer = ids[context:], answer[context:]
        if len(blocks) == most:
            break
    if not blocks:
        raise UserError(f"evaluation set {name!r}: its documents do not fill one block of {context} tokens")
    return blocks


@dataclass(frozen=True)
class Window:
    """Tokens `start:end` of a document, of which `scored:end` are scored."""

    document: int
    start: int
    scored: int
    end: int


def windows_of(lengths: Iterable[int], context: int, stride: int) -> list[Window]:
    """All windows, by the rule above."""
    windows = []
    for document, length in enumerate(lengths):
        start, scored = 0, 1
        while scored < length:
            end = min(start + context, length)
            windows.append(Window(document, start, scored, end))
            start, scored = start + stride, end
    return windows


def score(
    model: "PreTrainedModel", evaluation_set: EvaluationSet, device: str = "cpu"
) -> dict[str, np.ndarray]:
    """Per document, in order: the summed negative log-likelihood in nats of the whole and of the answer."""
    import torch

    documents, settings = evaluation_set.documents, evaluation_set.settings
    windows = windows_of(
        [len(document.input_ids) for document in documents], settings.context, settings.stride
    )
    totals = {part: np.zeros(len(documents)) for part in PARTS}
    longest = getattr(model.config, "max_position_embeddings", None)
    if longest is not None and longest < settings.context:
        raise UserError(
            f"evaluation: context is {settings.context}, but the model reads at most {longest} tokens"
        )
    torch.nn.Module.to(model, device)
    model.eval()
    most = max(1, min(TOKENS_PER_BATCH[device], LOGITS_PER_BATCH[device] // model.config.vocab_size))
    waiting: tuple[list[Window], np.ndarray, torch.Tensor] | None = None
    with torch.inference_mode():
        for batch in _batches(windows, most):
            input_ids, targets, answer = _padded(documents, batch)
            first = min(window.scored - window.start for window in batch) - 1
            losses = _token_losses(model, input_ids, targets[:, first:])
            # A batch's results are fetched after the next batch has started, so the GPU never waits for the sums.
            _add_losses(totals, waiting)
            waiting = (batch, answer[:, first:], losses)
        _add_losses(totals, waiting)
    return totals


def _add_losses(
    totals: dict[str, np.ndarray], scored: "tuple[list[Window], np.ndarray, torch.Tensor] | None"
) -> None:
    """Add the losses of a batch's tokens to the totals of their documents."""
    if scored is None:
        return
    batch, answer, losses = scored
    nll = losses.cpu().numpy()
    index = [window.document for window in batch]
    np.add.at(totals["whole"], index, nll.sum(axis=1))
    np.add.at(totals["answer"], index, (nll * answer).sum(axis=1))


def loss_rows(evaluation_set: EvaluationSet, totals: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """One row per document and part, summed over the document's pieces: part, doc_id, nll, n_tokens, n_bytes.

    `n_tokens` counts scored tokens; `n_bytes` are the UTF-8 bytes of the text, or of the answer. Plain text has no
    answer.
    """
    frames = []
    for part in evaluation_set.settings.parts:
        rows = [
            (part, document.doc_id, nll, int(document.answer[1:].sum()), document.n_answer_bytes)
            if part == "answer"
            else (part, document.doc_id, nll, len(document.input_ids) - 1, document.n_bytes)
            for document, nll in zip(evaluation_set.documents, totals[part], strict=True)
            if part == "whole" or not document.answer.all()
        ]
        frames.append(pd.DataFrame(rows, columns=["part", "doc_id", "nll", "n_tokens", "n_bytes"]))
    by_piece = pd.concat(frames, ignore_index=True).groupby(["part", "doc_id"], sort=False, as_index=False)
    return by_piece.sum(skipna=False)  # a diverged loss stays NaN


def _batches(windows: Sequence[Window], most_tokens: int) -> Iterator[list[Window]]:
    """Windows of similar length together, longest first, so batches have little padding.

    Among equal lengths, windows that score only their end come together, because they need fewer logits.
    """
    ordered = sorted(windows, key=lambda window: (window.start - window.end, window.scored - window.start))
    first = 0
    while first < len(ordered):
        width = ordered[first].end - ordered[first].start
        last = first + max(1, most_tokens // width)
        yield ordered[first:last]
        first = last


def _padded(
    documents: Sequence[EncodedDocument], batch: Sequence[Window]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Token ids, targets (-100 where nothing is scored) and answer marks, the latter two shifted to predictions."""
    width = max(window.end - window.start for window in batch)
    input_ids = np.zeros((len(batch), width), dtype=np.int64)
    targets = np.full((len(batch), width), -100, dtype=np.int64)
    answer = np.zeros((len(batch), width), dtype=bool)
    for row, window in enumerate(batch):
        document = documents[window.document]
        input_ids[row, : window.end - window.start] = document.input_ids[window.start : window.end]
        predictions = slice(window.scored - window.start - 1, window.end - window.start - 1)
        targets[row, predictions] = document.input_ids[window.scored : window.end]
        answer[row, predictions] = document.answer[window.scored : window.end]
    return input_ids, targets, answer


def _token_losses(model: "PreTrainedModel", input_ids: np.ndarray, targets: np.ndarray) -> "torch.Tensor":
    """Losses at the last positions of each row, as many as there are targets, in float64.

    Padding is on the right, so no attention mask is needed.
    """
    import torch

    wanted = torch.from_numpy(targets).to(model.device, non_blocking=True)
    kept = wanted.shape[1]
    inputs = {
        "input_ids": torch.from_numpy(input_ids).to(model.device, non_blocking=True),
        "use_cache": False,
    }
    if "logits_to_keep" in inspect.signature(model.forward).parameters:
        inputs["logits_to_keep"] = kept
    logits = model(**inputs).logits[:, -kept:]
    losses = torch.nn.functional.cross_entropy(
        logits.float().flatten(0, 1), wanted.flatten(), ignore_index=-100, reduction="none"
    )
    return losses.view(wanted.shape).double()
