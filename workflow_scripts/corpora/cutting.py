"""Cut long texts into several documents of a readable size."""

import re

_PIECE_CHARACTERS = 4096
_MAX_PIECES = 16


def cut(text: str, limit: int = _PIECE_CHARACTERS) -> list[str]:
    """Cut a text at blank lines into pieces of at most `limit` characters; of a very long text, the first 16.

    Once a piece is half full it ends at the next line that is not indented, so that a function or a class
    tends to stay whole. A single paragraph longer than the limit is cut at the ends of its lines.
    """
    pieces: list[str] = []
    piece = ""
    for block in _blocks(text, limit):
        too_long = len(piece) + len(block) > limit
        good_place = len(piece) > limit // 2 and not block[0].isspace()
        if piece and (too_long or good_place):
            pieces.append(piece)
            piece = ""
        piece += block
    pieces.append(piece)
    readable = [
        piece.strip("\n").rstrip() for piece in pieces if piece.strip() and not _is_number_table(piece)
    ]
    return readable[:_MAX_PIECES]


def _is_number_table(piece: str) -> bool:
    """Whether at least a sixth of a piece is digits: coefficients and codes rather than text."""
    return sum(character.isdigit() for character in piece) * 6 >= len(piece)


def _blocks(text: str, limit: int) -> list[str]:
    """Paragraphs with the blank lines that follow them; the text is their concatenation."""
    blocks: list[str] = []
    for block in re.split(r"(?<=\n\n)(?!\n)", text.strip("\n")):
        if len(block) <= limit:
            blocks.append(block)
            continue
        part = ""
        for line in block.splitlines(keepends=True):
            if part and len(part) + len(line) > limit:
                blocks.append(part)
                part = ""
            part += line
        blocks.append(part)
    return [block for block in blocks if block]
