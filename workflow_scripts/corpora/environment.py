"""Real text from the user's own Python installation: docstrings, code, headers, licences, type stubs.

Packages are read as files and never imported. The documents are the same for the same Python patch version
and the same package versions, whatever machine and folder they are installed in.
"""

import ast
import importlib.metadata
import importlib.util
import platform
import re
import sys
import sysconfig
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from workflow_scripts.command_line import UserError
from workflow_scripts.corpora.cutting import cut
from workflow_scripts.corpora.documents import Reading, SourceDocument, stable_hash
from workflow_scripts.corpora.prose import is_licence, markup_prose, wrapped_prose
from workflow_scripts.corpora.python_text import (
    code_documents,
    code_pairs,
    docstring_documents,
    doctest_pairs,
)

STANDARD_LIBRARY = "stdlib"

_SKIPPED_FOLDERS = frozenset(
    {
        "__pycache__",
        "test",
        "tests",
        "_vendor",
        "vendor",
        "vendored",
        "_vendored",
        "extern",
        "externals",
        "_external",
        "array_api_compat",
        "array_api_extra",
    }
)
# Written when a package is built, so that they name compilers, folders or dates of the machine that built it.
_BUILD_RECORDS = frozenset({"__config__.py", "_version.py", "version.py", "_build_config.py"})
# Left out by some distributions of Python, patched by them, or not text in the ordinary sense.
_SKIPPED_STANDARD_MODULES = frozenset(
    {
        "antigravity", "distutils", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "site", "sitecustomize",
        "sysconfig", "test", "this", "tkinter", "turtle", "turtledemo", "venv",
    }
)  # fmt: skip
_MAX_FILE_BYTES = 500_000
_CHANGE_LOG = re.compile(
    r"^#* *(?:change ?log|changes|change history|release notes|release history|history|what's changed"
    r"|contributors|authors|credits)\b.*$",
    re.IGNORECASE | re.MULTILINE,
)
# Builds of torch for different accelerators carry different headers in these folders.
_ACCELERATORS = frozenset({"cuda", "cudnn", "hip", "miopen", "mps", "xpu", "metal"})
_COMMENT = re.compile(r"/\*.*?\*/|(?:^[ \t]*//[^\n]*\n)+", re.DOTALL | re.MULTILINE)
_GENERATED = re.compile(r"@generated|do not edit|(automatically|auto-?) ?generated", re.IGNORECASE)


@dataclass(frozen=True)
class Package:
    """An installed package: its top folder (or single file), and what it was installed as."""

    name: str
    root: Path
    distribution: str
    version: str
    licence: str

    def relative(self, path: Path) -> str:
        """A path as seen from the folder that holds the package."""
        base = self.root if self.name == STANDARD_LIBRARY else self.root.parent
        return path.relative_to(base).as_posix()

    def module_of(self, path: Path) -> str:
        """The dotted name of the module in a file."""
        module = self.relative(path.with_suffix("")).replace("/", ".").removesuffix(".__init__")
        return f"{STANDARD_LIBRARY}.{module}" if self.name == STANDARD_LIBRARY else module


@dataclass(frozen=True)
class Kind:
    """A kind of text: which files of a package hold it, and the documents of one file."""

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
    packages = [find_package(name) for name in names]
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
    """Read files one by one, always of the package that has given the fewest bytes, up to the limit.

    Within a package the files come in the order of a hash of their path, so that a small limit is a sample of
    the whole package rather than the head of its alphabet; a larger limit adds documents and removes none.
    """
    waiting = {}
    for package in packages:
        files = sorted(
            kind.files(package), key=lambda path: stable_hash(package.relative(path)), reverse=True
        )
        if not files:
            raise UserError(f"environment corpus: package {package.name!r} holds no text of this kind")
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


@cache
def find_package(name: str) -> Package:
    """Locate an installed package by the name it is imported under, without importing it."""
    if name == STANDARD_LIBRARY:
        root = Path(sysconfig.get_paths()["stdlib"])
        return Package(name, root, STANDARD_LIBRARY, platform.python_version(), "PSF-2.0")
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    if spec is None or spec.origin is None:
        raise UserError(
            f"environment corpus: package {name!r} is not installed "
            "(packages are named as they are imported, such as sklearn for scikit-learn)"
        )
    origin = Path(spec.origin)
    distribution = _distribution_of(name)
    return Package(
        name=name,
        root=origin.parent if spec.submodule_search_locations else origin,
        distribution=distribution.metadata["Name"],
        version=distribution.version,
        licence=_stated_licence(distribution),
    )


def _distribution_of(name: str) -> importlib.metadata.Distribution:
    candidates = _distributions().get(name)
    if not candidates:
        raise UserError(f"environment corpus: package {name!r} was not installed by a package manager")
    return importlib.metadata.distribution(sorted(candidates)[0])


@cache
def _distributions() -> dict[str, list[str]]:
    return {name: list(found) for name, found in importlib.metadata.packages_distributions().items()}


def _stated_licence(distribution: importlib.metadata.Distribution) -> str:
    metadata = distribution.metadata
    if metadata["License-Expression"]:
        return metadata["License-Expression"]
    classifiers = [text for text in metadata.get_all("Classifier", []) if text.startswith("License ::")]
    if classifiers:
        return "; ".join(text.rsplit(" :: ", 1)[1] for text in classifiers)
    first_line = (metadata["License"] or "not stated").strip().splitlines()[0]
    return first_line[:80]


def _walk(package: Package, suffixes: tuple[str, ...]) -> list[Path]:
    """Files of a package by suffix, in a fixed order; no tests, copies of other packages or build records."""
    if package.root.is_file():
        return [package.root] if package.root.suffix in suffixes else []
    roots = [package.root]
    if package.name == STANDARD_LIBRARY:
        modules = sorted(sys.stdlib_module_names - _SKIPPED_STANDARD_MODULES)
        roots = [package.root / name for name in modules] + [package.root / f"{name}.py" for name in modules]
    found = []
    for root in roots:
        for path in [root] if root.is_file() else root.rglob("*"):
            inner = path.relative_to(package.root).parts
            if (
                path.suffix in suffixes
                and path.name not in _BUILD_RECORDS
                and not path.name.startswith("_sysconfigdata")
                and not _SKIPPED_FOLDERS.intersection(inner)
                and path.is_file()
                and path.stat().st_size <= _MAX_FILE_BYTES
            ):
                found.append(path)
    return sorted(found)


def _python_files(package: Package) -> list[Path]:
    return _walk(package, (".py",))


def _python(reader: Callable[[str, str], Iterator[SourceDocument]]) -> Kind:
    def documents(package: Package, path: Path) -> Iterator[SourceDocument]:
        source = path.read_text(encoding="utf-8")
        with warnings.catch_warnings():  # of the packages' own escape sequences
            warnings.simplefilter("ignore", SyntaxWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            yield from reader(package.module_of(path), source)

    return Kind(_python_files, documents)


def _stub_files(package: Package) -> list[Path]:
    return _walk(package, (".pyi",))


def _stubs(package: Package, path: Path) -> Iterator[SourceDocument]:
    yield from _pieces(package, path, re.sub(r"\A(\s*#[^\n]*\n)+", "", path.read_text(encoding="utf-8")))


def _header_files(package: Package) -> list[Path]:
    found = _walk(package, (".h", ".hpp", ".hxx"))
    return [path for path in found if not _ACCELERATORS.intersection(path.relative_to(package.root).parts)]


def _headers(package: Package, path: Path) -> Iterator[SourceDocument]:
    """A header in pieces; headers written by a program are left out."""
    source = path.read_text(encoding="utf-8")
    if not _GENERATED.search(source[:3000]):
        yield from _pieces(package, path, header_text(source))


def header_text(source: str) -> str:
    """A header without comments that are licences, and without the guard that torch adds to each of its own."""
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
    """Python's own help pages, a document a section, since topics repeat each other's sections."""
    assignment = ast.parse(path.read_text(encoding="utf-8")).body[-1]
    topics = ast.literal_eval(assignment.value)  # type: ignore[attr-defined]
    for topic in sorted(topics):
        for number, section in enumerate(re.split(r"\n(?=[^\n]+\n[*=~\-]{3,}\n)", topics[topic])):
            for part, piece in enumerate(cut("\n\n".join(wrapped_prose(section)))):
                name = f"pydoc_data.topics:{topic}"
                yield SourceDocument(f"{name}#{number:03d}.{part}", name, piece)


def _distribution_files(package: Package) -> list[Path]:
    """The files of the folder that the installer keeps on the package."""
    distribution = importlib.metadata.distribution(package.distribution)
    listed = [file for file in distribution.files or [] if file.parts[0].endswith(".dist-info")]
    return sorted(Path(str(distribution.locate_file(file))) for file in listed)


def _licence_files(package: Package) -> list[Path]:
    return [
        path
        for path in _distribution_files(package)
        if re.search(r"licen[sc]e|copying|notice", path.name, re.IGNORECASE)
        and path.suffix not in (".py", ".json")
    ]


def _within_distribution(path: Path) -> str:
    """A path below the installer's folder: `licenses/third_party/x/LICENSE`."""
    parts = path.parts
    start = max(at for at, part in enumerate(parts) if part.endswith(".dist-info"))
    return "/".join(parts[start + 1 :])


def _licences(package: Package, path: Path) -> Iterator[SourceDocument]:
    """A licence text, a line a paragraph, without copyright lines: so copies under other names are equal."""
    lines = [
        ""
        if re.match(r"\W*(copyright\b.{0,6}(\(c\)|©|\d{4})|\(c\)|©|all rights reserved)", line, re.IGNORECASE)
        else line
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    joined = [re.sub(r"\s+", " ", text) for text in re.split(r"\n\s*\n", "\n".join(lines))]
    text = "\n\n".join(paragraph.strip() for paragraph in joined if len(paragraph.split()) > 2)
    source_object = f"{package.name}/{_within_distribution(path)}"
    for number, piece in enumerate(cut(text)):
        yield SourceDocument(f"{source_object}#{number:03d}", source_object, piece)


def _metadata_files(package: Package) -> list[Path]:
    return [path for path in _distribution_files(package) if path.name == "METADATA"]


def _metadata(package: Package, path: Path) -> Iterator[SourceDocument]:
    """The prose of the description that a package index shows, up to the change log."""
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
