"""Real text from the user's own Python installation: docstrings, code, headers, licences, type stubs.

Packages are read as files and never imported. The documents depend only on the Python patch version and the package
versions, not on the machine or folder of the installation.
"""

import ast
import importlib.metadata
import platform
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.corpora.cutting import cut
from workflow_scripts.corpora.documents import Reading, SourceDocument, stable_hash
from workflow_scripts.corpora.packages import (
    STANDARD_LIBRARY,
    Package,
    distribution_files,
    find_packages,
    text_files,
    within_distribution,
)
from workflow_scripts.corpora.prose import is_licence, markup_prose, wrapped_prose
from workflow_scripts.corpora.python_text import (
    code_documents,
    code_pairs,
    docstring_documents,
    doctest_pairs,
    without_head_comment,
)
from workflow_scripts.errors import UserError

_CHANGE_LOG = re.compile(
    r"^#* *(?:change ?log|changes|change history|release notes|release history|history|what's changed"
    r"|contributors|authors|credits)\b.*$",
    re.IGNORECASE | re.MULTILINE,
)
# Left out because these may differ between builds of torch for different accelerators.
_ACCELERATORS = frozenset({"cuda", "cudnn", "hip", "miopen", "mps", "xpu", "metal"})
_COMMENT = re.compile(r"/\*.*?\*/|(?:^[ \t]*//[^\n]*\n)+", re.DOTALL | re.MULTILINE)
_GENERATED = re.compile(r"@generated|do not edit|(automatically|auto-?) ?generated", re.IGNORECASE)


@dataclass(frozen=True)
class Kind:
    """A kind of text: which files of a package contain it, and the documents of one file."""

    files: Callable[[Package], list[Path]]
    documents: Callable[[Package, Path], Iterator[SourceDocument]]


def read(spec: dict[str, Any]) -> Reading:
    """Documents of `kind` from `packages`, up to `limit_bytes` of text spread evenly over the packages."""
    kind = KINDS.get(spec.get("kind", ""))
    if kind is None:
        raise UserError(f"environment corpus: kind {spec.get('kind')!r} is not one of {', '.join(KINDS)}")
    named = spec.get("packages", [])
    names = [named] if isinstance(named, str) else list(named)
    if not names:
        raise UserError("environment corpus: packages is empty; name at least one package, or stdlib")
    packages = find_packages(names)
    skipped: Counter[str] = Counter()
    versions = {package.name: package.version for package in packages if package.name != STANDARD_LIBRARY}
    provenance = {
        "source": f"environment: {spec['kind']}",
        "revision": ", ".join(
            [
                f"Python {platform.python_version()}",
                *(f"{name} {version}" for name, version in versions.items()),
            ]
        ),
        "licence": {package.name: package.licence for package in packages},
        "environment": {"python": platform.python_version(), "packages": versions},
    }
    documents = spread(kind, packages, spec.get("limit_bytes"), skipped)
    return Reading(documents, provenance, skipped)


def spread(
    kind: Kind, packages: list[Package], limit_bytes: int | None, skipped: Counter[str]
) -> Iterator[SourceDocument]:
    """Read files up to the limit, each from the package that has given the fewest bytes so far.

    Within a package the files are in the order of a hash of their path, so that a small limit samples the whole package
    and not the start of its alphabet. A larger limit adds documents and removes none.
    """
    waiting = {}
    for package in packages:
        files = sorted(
            kind.files(package), key=lambda path: stable_hash(package.relative(path)), reverse=True
        )
        if not files:
            raise UserError(
                f"environment corpus: package {package.name!r} has no text of this kind; "
                "remove it from packages"
            )
        waiting[package.name] = files
    by_name = {package.name: package for package in packages}
    given = dict.fromkeys(waiting, 0)
    while waiting and (limit_bytes is None or sum(given.values()) < limit_bytes):
        name = min(waiting, key=lambda candidate: given[candidate])
        path = waiting[name].pop()
        if not waiting[name]:
            del waiting[name]
        try:
            documents = list(kind.documents(by_name[name], path))
        except (SyntaxError, UnicodeDecodeError):
            skipped["files that cannot be parsed"] += 1
            continue
        given[name] += sum(len(document.text.encode("utf-8", "replace")) for document in documents)
        yield from documents


def _python_files(package: Package) -> list[Path]:
    return text_files(package, (".py",))


def _python(reader: Callable[[str, str], Iterator[SourceDocument]]) -> Kind:
    def documents(package: Package, path: Path) -> Iterator[SourceDocument]:
        source = path.read_text(encoding="utf-8")
        with warnings.catch_warnings():  # about escape sequences in the packages
            warnings.simplefilter("ignore", SyntaxWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            yield from reader(package.module_of(path), source)

    return Kind(_python_files, documents)


def _stub_files(package: Package) -> list[Path]:
    return text_files(package, (".pyi",))


def _stubs(package: Package, path: Path) -> Iterator[SourceDocument]:
    yield from _pieces(package, path, without_head_comment(path.read_text(encoding="utf-8")))


def _header_files(package: Package) -> list[Path]:
    found = text_files(package, (".h", ".hpp", ".hxx"))
    return [path for path in found if not _ACCELERATORS.intersection(path.relative_to(package.root).parts)]


def _headers(package: Package, path: Path) -> Iterator[SourceDocument]:
    """A header in pieces; generated headers are left out."""
    source = path.read_text(encoding="utf-8")
    if not _GENERATED.search(source[:3000]):
        yield from _pieces(package, path, header_text(source))


def header_text(source: str) -> str:
    """A header without licence comments, and without the guard that torch adds to each of its headers."""
    lines = source.splitlines()
    kept = [line for line in lines if "TORCH_STABLE_ONLY" not in line]
    if len(kept) < len(lines) and kept and kept[-1].startswith("#else"):
        kept.pop()
    text = _COMMENT.sub(lambda found: "" if is_licence(found[0]) else found[0], "\n".join(kept) + "\n")
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def _pieces(package: Package, path: Path, text: str) -> Iterator[SourceDocument]:
    source_object = package.relative(path)
    for number, piece in enumerate(cut(text)):
        yield SourceDocument(f"{source_object}#{number:03d}", source_object, piece)


def _reference_files(package: Package) -> list[Path]:
    topics = package.root / "pydoc_data" / "topics.py"
    return [topics] if package.name == STANDARD_LIBRARY and topics.is_file() else []


def _reference(package: Package, path: Path) -> Iterator[SourceDocument]:
    """Python's own help pages, one document per section, because topics repeat each other's sections."""
    assignment = ast.parse(path.read_text(encoding="utf-8")).body[-1]
    topics = ast.literal_eval(assignment.value)  # type: ignore[attr-defined]
    for topic in sorted(topics):
        for number, section in enumerate(re.split(r"\n(?=[^\n]+\n[*=~\-]{3,}\n)", topics[topic])):
            for part, piece in enumerate(cut("\n\n".join(wrapped_prose(section)))):
                name = f"pydoc_data.topics:{topic}"
                yield SourceDocument(f"{name}#{number:03d}.{part}", name, piece)


def _licence_files(package: Package) -> list[Path]:
    return [
        path
        for path in distribution_files(package)
        if re.search(r"licen[sc]e|copying|notice", path.name, re.IGNORECASE)
        and path.suffix not in (".py", ".json")
    ]


def _licences(package: Package, path: Path) -> Iterator[SourceDocument]:
    """A licence text, one line per paragraph, without copyright lines, so that copies under other names are equal."""
    lines = [
        ""
        if re.match(r"\W*(copyright\b.{0,6}(\(c\)|©|\d{4})|\(c\)|©|all rights reserved)", line, re.IGNORECASE)
        else line
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    joined = [re.sub(r"\s+", " ", text) for text in re.split(r"\n\s*\n", "\n".join(lines))]
    text = "\n\n".join(paragraph.strip() for paragraph in joined if len(paragraph.split()) > 2)
    source_object = f"{package.name}/{within_distribution(path)}"
    for number, piece in enumerate(cut(text)):
        yield SourceDocument(f"{source_object}#{number:03d}", source_object, piece)


def _metadata_files(package: Package) -> list[Path]:
    return [path for path in distribution_files(package) if path.name == "METADATA"]


def _metadata(package: Package, path: Path) -> Iterator[SourceDocument]:
    """The prose of a package's description, up to the change log."""
    distribution = importlib.metadata.distribution(package.distribution)
    description = _CHANGE_LOG.split(distribution.metadata.get_payload())[0]  # type: ignore[attr-defined]
    source_object = f"{package.name}/METADATA"
    for number, piece in enumerate(cut("\n\n".join(markup_prose(description)))):
        yield SourceDocument(f"{source_object}#{number:03d}", source_object, piece)


KINDS: dict[str, Kind] = {
    "docstrings": _python(docstring_documents),
    "code": _python(code_documents),
    "pairs_docstring_code": _python(code_pairs),
    "pairs_doctest": _python(doctest_pairs),
    "reference": Kind(_reference_files, _reference),
    "headers": Kind(_header_files, _headers),
    "licences": Kind(_licence_files, _licences),
    "metadata": Kind(_metadata_files, _metadata),
    "stubs": Kind(_stub_files, _stubs),
}
