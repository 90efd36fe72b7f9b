"""A random sample of a source that is read as a stream: all of it is counted, only the sample is kept in memory."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from workflow_scripts.corpora.documents import SourceDocument, stable_hash

# Characters of a piece: a book is sampled in pieces, because one whole book could fill the sample.
PIECE = 1 << 16


@dataclass
class Counted:
    """What was read in all, sampled or not; complete once all documents have been read."""

    documents: int = 0
    bytes: int = 0


def sample(
    documents: Iterable[SourceDocument], most_bytes: int, seed: int, counted: Counted
) -> Iterator[SourceDocument]:
    """Documents in their order, drawn at random without replacement until they have `most_bytes` bytes.

    Each document has a priority, a hash of its name, and those of least priority are kept. So the choice of a document
    depends little on the others, and rows added to a file change few of the drawn ones. Plain documents longer than a
    piece are drawn in pieces.
    """
    held: list[
        tuple[int, int, int, SourceDocument]
    ] = []  # (-priority, place, bytes, piece): the largest on top
    total = place = 0
    for document in documents:
        counted.documents += 1
        counted.bytes += _size(document)
        for piece in _pieces(document):
            size, place = _size(piece), place + 1
            heapq.heappush(held, (-stable_hash("sample", seed, piece.name), place, size, piece))
            total += size
            while total - held[0][2] >= most_bytes:
                total -= heapq.heappop(held)[2]
    for _, _, _, piece in sorted(held, key=lambda entry: entry[1]):
        yield piece


def _size(document: SourceDocument) -> int:
    return len(document.text.encode("utf-8", "surrogatepass"))


def _pieces(document: SourceDocument) -> Iterator[SourceDocument]:
    """The document, or its pieces, which end at the end of a word if possible."""
    text = document.text
    if len(text) <= PIECE or document.prompt is not None:
        yield document
        return
    start = 0
    while start < len(text):
        end = start + PIECE
        if end < len(text):
            end = max(text.rfind("\n", start, end), text.rfind(" ", start, end), start) + 1
            end = end if end > start + 1 else start + PIECE
        yield replace(document, name=f"{document.name}@{start}", text=text[start:end])
        start = end
