"""Print docs/LICENCES.md: the licences of all packages of the lock files, as their metadata state them.

Run as `.venv/bin/python envs/list_licences.py > docs/LICENCES.md`.
"""

import importlib.metadata
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

HEAD = """# Licences of dependencies

Plumbline itself has the Apache License 2.0. `make setup` installs these packages, as the lock files pin them. Licences
are those that the packages' metadata state. `envs/list_licences.py` makes this page.

| licence | packages |
|---|---|
"""

# What metadata call a licence, and its name in SPDX. The first that is found counts.
NAMES = (
    (r"MPL-2\.0 AND MIT", "MPL-2.0 AND MIT"),
    (r"Public Domain.*BSD", "BSD, public domain, some files GPL"),
    (r"Apache Software License.*BSD License", "Apache-2.0 OR BSD-2-Clause"),
    (r"Apache", "Apache-2.0"),
    (r"Mozilla|MPL", "MPL-2.0"),
    (r"ISC", "ISC"),
    (r"MIT", "MIT"),
    (r"BSD-2-Clause|2-clause BSD", "BSD-2-Clause"),
    (r"BSD-3-Clause|BSD 3-Clause", "BSD-3-Clause"),
    (r"BSD", "BSD"),
)


def locked_packages() -> list[str]:
    """Names of the packages in both lock files."""
    text = "".join(
        (ROOT / name).read_text(encoding="utf-8") for name in ("requirements.lock", "envs/torch.lock")
    )
    return re.findall(r"^([A-Za-z0-9._-]+)==", text, flags=re.MULTILINE)


def licence_of(package: str) -> str:
    """The SPDX expression of an installed package, or the licence that its other metadata name."""
    metadata = importlib.metadata.metadata(package)
    if metadata["License-Expression"]:
        return str(metadata["License-Expression"])
    classifiers = [text for text in metadata.get_all("Classifier") or [] if text.startswith("License")]
    stated = " ".join([*classifiers, (metadata["License"] or "").split("\n")[0]])
    if not stated.strip():
        stated = _title_of_licence_file(package)
    return next((name for pattern, name in NAMES if re.search(pattern, stated)), "not stated")


def _title_of_licence_file(package: str) -> str:
    for file in importlib.metadata.files(package) or []:
        if re.search(r"licen[cs]e", file.name, flags=re.IGNORECASE):
            return Path(str(file.locate())).read_text(encoding="utf-8").lstrip().split("\n")[0]
    return ""


def table() -> str:
    packages: dict[str, list[str]] = {}
    for package in locked_packages():
        packages.setdefault(licence_of(package), []).append(package)
    rows = sorted(packages.items(), key=lambda item: (-len(item[1]), item[0]))
    return HEAD + "".join(f"| {licence} | {', '.join(sorted(names))} |\n" for licence, names in rows)


if __name__ == "__main__":
    print(table(), end="")
