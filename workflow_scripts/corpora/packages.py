"""Installed packages as folders of text files: found and read without importing anything of them."""

import importlib.metadata
import importlib.util
import platform
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.errors import UserError

STANDARD_LIBRARY = "stdlib"

# Tests, and copies of other packages.
_SKIPPED_FOLDERS = frozenset(
    {
        "__pycache__", "test", "tests", "_vendor", "vendor", "vendored", "_vendored", "extern", "externals",
        "_external", "array_api_compat", "array_api_extra",
    }
)  # fmt: skip
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


def find_packages(names: list[str]) -> list[Package]:
    """Locate installed packages by the names they are imported under, without importing them."""
    installed = importlib.metadata.packages_distributions()
    return [_find_package(name, installed) for name in names]


def _find_package(name: str, installed: Mapping[str, list[str]]) -> Package:
    if name == STANDARD_LIBRARY:
        root = Path(sysconfig.get_paths()["stdlib"])
        return Package(name, root, STANDARD_LIBRARY, platform.python_version(), "PSF-2.0")
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    if spec is None or spec.origin is None or name not in installed:
        raise UserError(
            f"environment corpus: package {name!r} is not installed "
            "(packages are named as they are imported, such as sklearn for scikit-learn)"
        )
    distribution = importlib.metadata.distribution(sorted(installed[name])[0])
    return Package(
        name=name,
        root=Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin),
        distribution=distribution.metadata["Name"],
        version=distribution.version,
        licence=_stated_licence(distribution),
    )


def _stated_licence(distribution: importlib.metadata.Distribution) -> str:
    metadata = distribution.metadata
    if metadata["License-Expression"]:
        return metadata["License-Expression"]
    classifiers = [text for text in metadata.get_all("Classifier", []) if text.startswith("License ::")]
    if classifiers:
        return "; ".join(text.rsplit(" :: ", 1)[1] for text in classifiers)
    first_line = (metadata["License"] or "not stated").strip().splitlines()[0]
    return first_line[:80]


def text_files(package: Package, suffixes: tuple[str, ...]) -> list[Path]:
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


def distribution_files(package: Package) -> list[Path]:
    """The files of the folder that the installer keeps on the package."""
    distribution = importlib.metadata.distribution(package.distribution)
    listed = [file for file in distribution.files or [] if file.parts[0].endswith(".dist-info")]
    return sorted(Path(str(distribution.locate_file(file))) for file in listed)


def within_distribution(path: Path) -> str:
    """A path below the installer's folder: `licenses/third_party/x/LICENSE`."""
    parts = path.parts
    start = max(at for at, part in enumerate(parts) if part.endswith(".dist-info"))
    return "/".join(parts[start + 1 :])
