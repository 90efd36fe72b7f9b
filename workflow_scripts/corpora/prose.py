"""Prose out of marked-up text: docstrings (numpydoc, Google and Sphinx styles), reStructuredText, Markdown.

The steps, in the order in which they are applied to a docstring:

1. Remove doctest blocks, fenced code, literal blocks after `::` and directives (notes and warnings keep their body).
2. Remove tabular sections: parameters, returns, raises, attributes, methods, see also, references. Every other section
   loses its heading and keeps its text.
3. Remove fields (`:param x: ...`, `x (int, optional): ...`) with their continuation lines.
4. Join the rest to one line per paragraph or list item, and remove inline markup.
5. Keep a paragraph that reads as prose: at least five words, and at least four fifths letters and spaces. Parts of
   licences are removed, because licences are a separate corpus.
"""

import inspect
import re

TABLE_SECTIONS = frozenset(
    {
        "args", "arguments", "attributes", "call arguments", "columns", "copyright", "inputs", "keyword args",
        "keyword arguments", "keywords", "kwargs", "members", "methods", "optional inputs", "outputs",
        "other parameters", "parameters", "params", "properties", "raises", "receives", "reference",
        "references", "return", "return type", "returns", "routine listings", "see also", "shape", "throws",
        "values", "warns", "yields",
    }
)  # fmt: skip
_EXAMPLE_SECTIONS = frozenset(
    {"example", "examples", "note", "notes", "usage", "warning", "warnings", "tip", "tips"}
)
_ADMONITIONS = ("note", "warning", "important", "caution", "tip", "hint", "attention", "admonition")

_UNDERLINE = re.compile(r"\s*([-=~^*#\"'+`])\1{2,}\s*$")
_SHORT_HEADING = re.compile(r"\s*([A-Z][\w ]{2,24}):\s*$")
_DIRECTIVE = re.compile(r"\s*\.\.(\s|$)")
_FIELD = re.compile(r"\s*(:(?!`)[\w][^:`]*:(?!`)|@\w+\s|[\w*.]+ \(.*\): *(\S|$))")
_LIST_ITEM = re.compile(r"\s*([-*+•]|\(?\d{1,2}[.)]|\([a-z]\))\s+")
_LICENCE = re.compile(
    r"copyright|all rights reserved|licensed under|permission is hereby granted|redistribution and use in source"
    r"|redistributions? (of|in) (source|binary)|without warrant(y|ies)|express or implied warrant|spdx-license"
    r"|merchantability|neither the name of",
    re.IGNORECASE,
)
_FENCE = re.compile(r"\s*(```|~~~)")


def docstring_prose(docstring: str) -> list[str]:
    """The paragraphs of a docstring that read as prose, each on one line."""
    lines = _without_code(inspect.cleandoc(docstring).splitlines())
    lines = _without_fields(_without_tables(lines))
    return [text for text in map(plain, paragraphs(lines)) if reads_as_prose(text) and not is_licence(text)]


def markup_prose(text: str) -> list[str]:
    """The paragraphs of a Markdown or reStructuredText page that read as prose."""
    text = re.sub(r"<!--.*?-->|<(script|style|table|pre)\b.*?</\1>", "", text, flags=re.DOTALL)
    text = re.sub(r"</?[a-zA-Z][^<>\n]*>", "", text)
    lines = [
        line
        for line in _without_code(text.splitlines())
        if not re.match(r"\s*(\||\[!|!\[|#|\[[^]]+\]:)", line)
    ]
    lines = _without_fields(_without_headings(lines))
    return [text for text in map(plain, paragraphs(lines)) if reads_as_prose(text)]


def wrapped_prose(text: str) -> list[str]:
    """The paragraphs of a plain page, indented or not, that read as prose, without headings and code samples."""
    lines = _without_headings(_without_code(text.splitlines()))
    return [text for text in map(plain, paragraphs(lines)) if reads_as_prose(text)]


def reads_as_prose(paragraph: str) -> bool:
    """At least five words, and four fifths of the characters letters, spaces or the marks of sentences."""
    if len(re.findall(r"[A-Za-z]{2,}", paragraph)) < 5:
        return False
    sentence_marks = sum(character.isalpha() or character in " ,.;'" for character in paragraph)
    return sentence_marks >= 0.8 * len(paragraph)


def is_licence(text: str) -> bool:
    """Whether a paragraph or comment states a copyright or a licence."""
    return bool(_LICENCE.search(text))


def plain(text: str) -> str:
    """Text without inline markup of reStructuredText and Markdown: roles, links, emphasis, literals."""
    text = re.sub(r"!\[[^]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^]]+)\]\([^)\s]*\)", r"\1", text)
    text = re.sub(r":[a-zA-Z][\w:+-]*:`[~!]?([^`<]*[^`<\s])(?:\s*<[^`>]*>)?`", r"\1", text)
    text = re.sub(r"`([^`<]+?)\s*<[^`>]*>`_{0,2}", r"\1", text)
    text = re.sub(r"`{1,3}([^`]*)`{1,3}_{0,2}", r"\1", text)
    text = re.sub(r"\*\*([^*]+)\*\*|(?<!\w)\*([^*\s][^*]*)\*(?!\w)", r"\1\2", text)
    text = re.sub(r"\s*\[\d+\]_|\s*\[#?\w+\]_", "", text)
    return re.sub(r"\s+", " ", text).replace("::", ":").strip()


def paragraphs(lines: list[str]) -> list[str]:
    """Lines joined into paragraphs; each list item is a paragraph."""
    found: list[list[str]] = [[]]
    for line in lines:
        if not line.strip():
            found.append([])
        elif _LIST_ITEM.match(line):
            found.append([_LIST_ITEM.sub("", line).strip()])
        else:
            found[-1].append(line.strip())
    return [" ".join(paragraph) for paragraph in found if paragraph]


def indent_of(line: str) -> int:
    return len(line) - len(line.lstrip())


def is_heading(lines: list[str], at: int) -> bool:
    """Whether a line is followed by an underline of at least three equal marks."""
    return (
        at + 1 < len(lines)
        and bool(lines[at].strip())
        and bool(_UNDERLINE.match(lines[at + 1]))
        and not _UNDERLINE.match(lines[at])
    )


def _without_code(lines: list[str]) -> list[str]:
    """Lines without doctest blocks, fenced code, directives and literal blocks."""
    kept: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.lstrip().startswith(">>>"):
            at = _next(lines, at, lambda later: not later.strip())
        elif _FENCE.match(line):
            at = _next(lines, at, lambda later: bool(_FENCE.match(later))) + 1
        elif _DIRECTIVE.match(line):
            name = line.strip()[2:].split("::")[0].strip().lower()
            end = _end_of_block(lines, at)
            if name in _ADMONITIONS:
                body = [line.split("::", 1)[1], *lines[at + 1 : end]]
                kept += ["", *_without_code(body), ""]
            at = end
        elif line.rstrip().endswith("::"):
            kept.append(line.rstrip()[:-1])
            after = _next(lines, at, lambda later: bool(later.strip()))
            indented = after < len(lines) and indent_of(lines[after]) > indent_of(line)
            if indented:
                kept.append("")
            at = _end_of_block(lines, at) if indented else at + 1
        else:
            kept.append(line)
            at += 1
    return kept


def _without_tables(lines: list[str]) -> list[str]:
    """Lines without tabular sections: numpydoc's underlined ones and Google's indented ones."""
    kept: list[str] = []
    at = 0
    while at < len(lines):
        short = _SHORT_HEADING.match(lines[at])
        if is_heading(lines, at):
            title = lines[at].strip().rstrip(":").lower()
            end = at + 2
            if title in TABLE_SECTIONS:
                while end < len(lines) and not is_heading(lines, end):
                    end += 1
            kept.append("")
            at = end
        elif short and short[1].strip().lower() in TABLE_SECTIONS:
            at = _end_of_block(lines, at)
        elif short and short[1].strip().lower() in _EXAMPLE_SECTIONS:
            kept.append("")
            at += 1
        else:
            kept.append(lines[at])
            at += 1
    return kept


def _without_headings(lines: list[str]) -> list[str]:
    kept: list[str] = []
    for at, line in enumerate(lines):
        if is_heading(lines, at) or _UNDERLINE.match(line):
            kept.append("")
        else:
            kept.append(line)
    return kept


def _without_fields(lines: list[str]) -> list[str]:
    kept: list[str] = []
    at = 0
    while at < len(lines):
        if _FIELD.match(lines[at]):
            at = _end_of_block(lines, at)
        else:
            kept.append(lines[at])
            at += 1
    return kept


def _next(lines: list[str], at: int, condition) -> int:
    """The first line after `at` that meets the condition; the end when there is none."""
    return next((later for later in range(at + 1, len(lines)) if condition(lines[later])), len(lines))


def _end_of_block(lines: list[str], at: int) -> int:
    """End of the block that belongs to line `at`: the next line that is not indented deeper."""
    return _next(lines, at, lambda later: bool(later.strip()) and indent_of(later) <= indent_of(lines[at]))
