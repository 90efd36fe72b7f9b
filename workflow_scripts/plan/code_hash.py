"""A fingerprint of the code behind a rule: an edit then reruns exactly what it can affect.

Snakemake notices changes of a rule's text and parameters, but not of a program that the rule starts.
So each rule passes `code_hash("workflow_scripts.x")` as a parameter: a hash over the syntax trees, without
comments and docstrings, of the program and of every module of the package that it imports, together with the
installed versions of the packages that those modules import.
"""

import ast
import functools
import hashlib
import importlib.metadata
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

PACKAGE = "workflow_scripts"
_ROOT = Path(__file__).resolve().parents[2]

# What the package imports under a name that differs from the name of its distribution.
_DISTRIBUTIONS = {"sklearn": ("scikit-learn",), "yaml": ("pyyaml",), "vl_convert": ("vl-convert-python",)}


def code_hash(*modules: str, packages: Iterable[str] = ()) -> str:
    """Fingerprint of modules of the package and of all that they import.

    Pass modules that are found by name at run time (a metric, a source of corpora) together with the program.
    Pass as `packages` those that a program reads without importing them.
    """
    digest = hashlib.sha256()
    third_party = set(packages)
    for name in sorted(set().union(*map(_closure, modules))):
        tree, _, external = _read(name)
        digest.update(f"{name} {tree}\n".encode())
        third_party |= external
    for package in sorted(third_party):
        digest.update(f"{package}=={installed_version(package)}\n".encode())
    return digest.hexdigest()[:16]


def text_hash(folder: str, *patterns: str) -> str:
    """Fingerprint of files other than Python: templates and styles."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in patterns for path in (_ROOT / folder).rglob(pattern)):
        digest.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def installed_version(package: str) -> str:
    """Version of the package installed under an import name, or "absent"."""
    for name in _DISTRIBUTIONS.get(package, (package,)):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return (
        ",".join(sorted({importlib.metadata.version(name) for name in _providers().get(package, [])}))
        or "absent"
    )


@functools.cache
def _providers() -> Mapping[str, list[str]]:
    """Import names and the distributions that provide them. Slow, so called only for names that are no distribution."""
    return importlib.metadata.packages_distributions()


def _closure(module: str) -> set[str]:
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(_read(name)[1])
    return seen


@functools.cache
def _path(module: str) -> Path | None:
    base = _ROOT.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


@functools.cache
def _read(module: str) -> tuple[str, frozenset[str], frozenset[str]]:
    """Hash of a module's syntax tree, its imports from the package, and the other packages that it imports."""
    path = _path(module)
    if path is None:
        raise ModuleNotFoundError(f"no module {module} in {_ROOT}")
    tree = ast.parse(path.read_bytes())
    own: set[str] = set()
    others: set[str] = set()
    for node in ast.walk(tree):
        for name in _imported(node, module, path):
            if name.split(".")[0] != PACKAGE:
                others.add(name.split(".")[0])
            elif _path(name):
                own.add(name)
            else:  # a name inside a module: `from workflow_scripts.a import b`
                own.add(name.rpartition(".")[0])
    for name in list(own):  # importing a.b.c runs a and a.b too
        while "." in name:
            name = name.rpartition(".")[0]
            own.add(name)
    _drop_docstrings(tree)
    digest = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return digest, frozenset(own - {module}), frozenset(others - set(sys.stdlib_module_names))


def _imported(node: ast.AST, module: str, path: Path) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            package = module if path.name == "__init__.py" else module.rpartition(".")[0]
            parents = package.split(".")
            base = ".".join([*parents[: len(parents) - node.level + 1], *([base] if base else [])])
        return [f"{base}.{alias.name}" for alias in node.names] if base.startswith(PACKAGE) else [base]
    return []


def _drop_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = [*node.body[1:]] or [ast.Pass()]
