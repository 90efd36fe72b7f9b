"""The class of each Unicode character (letter, mark, space, or a word by itself) and its script."""

import unicodedata
from functools import cache

import numpy as np

SPACE, LETTER, MARK, WORD = range(4)
"""A word is a run of letters. A mark is a separate word, as is a character of a script without spaces."""

SCRIPT_SHIFT, SCRIPT_MASK = 2, 31
DAMAGED = 128
"""The replacement character, and control characters that no text editor writes."""

# Blocks of the Unicode standard, first and last code point; a letter belongs to the first entry that contains it.
_LATIN = [
    (0x41, 0x2FF),
    (0x1D00, 0x1DBF),
    (0x1E00, 0x1EFF),
    (0x2C60, 0x2C7F),
    (0xA720, 0xA7FF),
    (0xAB30, 0xAB6F),
]
_LATIN += [(0xFB00, 0xFB06), (0xFF21, 0xFF5A)]
_SCRIPTS: dict[str, list[tuple[int, int]]] = {
    "Latin": _LATIN,
    "Greek": [(0x370, 0x3FF), (0x1F00, 0x1FFF)],
    "Cyrillic": [(0x400, 0x52F), (0x1C80, 0x1C8F), (0x2DE0, 0x2DFF), (0xA640, 0xA69F)],
    "Armenian": [(0x530, 0x58F)],
    "Hebrew": [(0x590, 0x5FF), (0xFB1D, 0xFB4F)],
    "Arabic": [(0x600, 0x6FF), (0x750, 0x77F), (0x870, 0x8FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFF)],
    "Devanagari": [(0x900, 0x97F), (0xA8E0, 0xA8FF)],
    "another Indian script": [(0x980, 0xDFF)],
    "Thai": [(0xE00, 0xE7F)],
    "Georgian": [(0x10A0, 0x10FF), (0x1C90, 0x1CBF), (0x2D00, 0x2D2F)],
    "Ethiopic": [(0x1200, 0x139F), (0x2D80, 0x2DDF)],
    "Hangul": [(0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xAC00, 0xD7FF)],
    "Japanese kana": [(0x3040, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F)],
    "Chinese characters": [(0x2E80, 0x2FDF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF)],
}
SCRIPTS = ("no script", *_SCRIPTS, "another script", "Latin")
"""By number. Latin letters beyond ASCII have a separate number, so that they can be counted."""

ASCII_LATIN, CHINESE = SCRIPTS.index("Latin"), SCRIPTS.index("Chinese characters")
OTHER_SCRIPT, ACCENTED_LATIN = len(SCRIPTS) - 2, len(SCRIPTS) - 1

# Scripts written without spaces: Thai and Lao, Myanmar, Khmer, kana, Chinese characters.
_WITHOUT_SPACES = [(0xE00, 0xEFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x2E80, 0x2FDF), (0x3005, 0x3007)]
_WITHOUT_SPACES += [(0x3040, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF)]
_WITHOUT_SPACES += [(0xFF66, 0xFF9F)]

_PLANE = 1 << 16


@cache
def kinds() -> np.ndarray:
    """By code point below 65,536: class, script times four, and the flag of damage."""
    table = np.zeros(_PLANE, dtype=np.uint8)
    script_of = np.full(_PLANE, OTHER_SCRIPT, dtype=np.uint8)
    for number, ranges in enumerate(_SCRIPTS.values(), start=1):
        for first, last in ranges:
            script_of[first : last + 1] = number
    script_of[0x80:][script_of[0x80:] == ASCII_LATIN] = ACCENTED_LATIN
    alone = np.zeros(_PLANE, dtype=bool)
    for first, last in _WITHOUT_SPACES:
        alone[first : last + 1] = True
    for code in range(_PLANE):
        category = unicodedata.category(chr(code))
        if category[0] in "LMN" or category in ("Pc", "Cf"):
            table[code] = WORD if alone[code] else LETTER
            if category[0] == "L":
                table[code] |= script_of[code] << SCRIPT_SHIFT
        elif category[0] == "Z" or chr(code).isspace():
            table[code] = SPACE
        elif category == "Cc":
            table[code] = SPACE | DAMAGED
        else:
            table[code] = MARK
    table[0xFEFF] = SPACE  # a byte order mark
    table[0xFFFD] |= DAMAGED
    return table


@cache
def lower_case() -> np.ndarray:
    """By code point below 65,536: the lower-case letter, if that is one character."""
    table = np.arange(_PLANE, dtype=np.uint16)
    for code in range(_PLANE):
        lowered = chr(code).lower()
        if len(lowered) == 1 and ord(lowered) < _PLANE:
            table[code] = ord(lowered)
    return table
