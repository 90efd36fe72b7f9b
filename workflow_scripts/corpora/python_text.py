"""Documents from Python source, by its syntax tree: nothing is imported or run."""

import ast
import doctest
import re
import textwrap
from collections import Counter
from collections.abc import Iterator

from workflow_scripts.corpora.cutting import cut
from workflow_scripts.corpora.documents import SourceDocument
from workflow_scripts.corpora.prose import docstring_prose, is_heading

_MIN_PROSE_CHARACTERS = 120
_MIN_PROMPT_CHARACTERS = 30
_MAX_PROMPT_CHARACTERS = 400
_MAX_DOCTEST_CHARACTERS = 400
_MAX_CODE_CHARACTERS = 1200

_Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def docstring_documents(module: str, source: str) -> Iterator[SourceDocument]:
    """The prose of each docstring, if it has at least 120 characters."""
    for name, _, docstring in _docstrings(module, source):
        prose = "\n\n".join(docstring_prose(docstring))
        if len(prose) >= _MIN_PROSE_CHARACTERS:
            yield SourceDocument(name, module, prose)


def code_documents(module: str, source: str) -> Iterator[SourceDocument]:
    """The source in pieces, without the comment at its head (most often a licence)."""
    ast.parse(source)
    for number, piece in enumerate(cut(without_head_comment(source))):
        yield SourceDocument(f"{module}#{number:03d}", module, piece)


def without_head_comment(source: str) -> str:
    return re.sub(r"\A(\s*#[^\n]*\n)+", "", source)


def code_pairs(module: str, source: str) -> Iterator[SourceDocument]:
    """The first paragraph of a function's docstring, and the function without its docstring.

    Functions of fewer than two lines or more than 1,200 characters are left out.
    """
    lines = source.splitlines()
    for name, node, docstring in _docstrings(module, source):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or len(node.body) < 2:
            continue
        prose = docstring_prose(docstring)
        if not prose or len(prose[0]) < _MIN_PROMPT_CHARACTERS:
            continue
        text = node.body[0]
        signature = lines[node.lineno - 1 : text.lineno - 1]
        code = textwrap.dedent("\n".join([*signature, *lines[text.end_lineno : node.end_lineno]]))
        if signature and code.count("\n") >= 2 and len(code) <= _MAX_CODE_CHARACTERS:
            yield SourceDocument.pair(name, module, _last_sentences(prose[0]) + "\n", code)


def doctest_pairs(module: str, source: str) -> Iterator[SourceDocument]:
    """A paragraph, and the expressions of the doctest that follows it, without `>>>` and output.

    If a doctest follows a heading with no prose between them, the paragraph is the docstring's first. Examples that
    only import are left out; examples with no prose between them are joined.
    """
    for name, _, docstring in _docstrings(module, source):
        if ">>>" not in docstring:
            continue
        try:
            parts = doctest.DocTestParser().parse(docstring)
        except ValueError:  # inconsistent indentation: Python would not run this doctest either
            continue
        groups = _prose_with_expressions(parts, docstring_prose(docstring))
        for number, (prompt, completion) in enumerate(groups):
            yield SourceDocument.pair(f"{name}#{number}", module, prompt + "\n", completion)


def _prose_with_expressions(
    parts: list[str | doctest.Example], whole: list[str]
) -> Iterator[tuple[str, str]]:
    paragraph = whole[0] if whole else ""
    expressions: list[str] = []
    for part in [*parts, None]:
        if isinstance(part, doctest.Example):
            if not _only_imports(part.source):
                expressions.append(part.source.rstrip("\n"))
            continue
        prose = docstring_prose(_after_last_heading(part)) if part else []
        if part is None or prose:
            completion = _first_within(expressions, _MAX_DOCTEST_CHARACTERS)
            if len(paragraph) >= _MIN_PROMPT_CHARACTERS and completion:
                yield _last_sentences(paragraph), completion
            expressions = []
        if prose:
            paragraph = prose[-1]


def _after_last_heading(text: str) -> str:
    lines = text.splitlines()
    start = max((at + 2 for at in range(len(lines)) if is_heading(lines, at)), default=0)
    return "\n".join(lines[start:])


def _only_imports(source: str) -> bool:
    return bool(re.match(r"(from\s+\S+\s+import|import)\s", source)) and ";" not in source


def _first_within(expressions: list[str], limit: int) -> str:
    """As many of the first expressions as fit; empty if none fits."""
    chosen: list[str] = []
    for expression in expressions:
        if len("\n".join([*chosen, expression])) > limit:
            break
        chosen.append(expression)
    return "\n".join(chosen)


def _last_sentences(paragraph: str) -> str:
    """The last whole sentences of a paragraph that fit, or the end of a sentence too long to fit."""
    if len(paragraph) <= _MAX_PROMPT_CHARACTERS:
        return paragraph
    tail = paragraph[-_MAX_PROMPT_CHARACTERS:]
    boundary = re.search(r"[.:;]\s+(?=[A-Z])", tail) or re.search(r"\s", tail)
    return tail[boundary.end() :] if boundary else tail


def _docstrings(module: str, source: str) -> Iterator[tuple[str, _Documented, str]]:
    """Name, node and docstring of the module and of each class and function in it, in source order."""
    seen: Counter[str] = Counter()

    def walk(node: ast.AST, path: str) -> Iterator[tuple[str, _Documented, str]]:
        if isinstance(node, _Documented):
            docstring = ast.get_docstring(node)
            if docstring:
                seen[path] += 1
                repeat = f"@{seen[path]}" if seen[path] > 1 else ""
                yield path + repeat, node, docstring
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                separator = ":" if path == module else "."
                yield from walk(child, f"{path}{separator}{child.name}")
            elif isinstance(child, ast.If | ast.Try | ast.With):
                yield from walk(child, path)

    yield from walk(ast.parse(source), module)
