"""What changes a rule's fingerprint: code that it runs and versions that it uses, and nothing else."""

import pytest

from workflow_scripts.plan import code_hash as module


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of the same name with a program that imports a subpackage's module inside a function."""
    folder = tmp_path / "workflow_scripts"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text('"""Top."""\n')
    (folder / "inner" / "__init__.py").write_text("")
    (folder / "inner" / "used.py").write_text(
        "import numpy as np\n\ndef double(x):\n    return np.add(x, x)\n"
    )
    (folder / "inner" / "other.py").write_text("VALUE = 1\n")
    (folder / "program.py").write_text(
        '"""Help."""\n\ndef main():\n    from workflow_scripts.inner.used import double\n    return double(2)\n'
    )
    monkeypatch.setattr(module, "_ROOT", tmp_path)

    def fingerprint(*names, **options):
        for function in (module._path, module._read, module.installed_version):
            function.cache_clear()
        return module.code_hash(*(names or ("workflow_scripts.program",)), **options)

    yield folder, fingerprint
    for function in (module._path, module._read, module.installed_version):
        function.cache_clear()


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_code_that_is_imported_inside_a_function_counts(package):
    folder, fingerprint = package
    before = fingerprint()
    edit(folder / "inner" / "used.py", "np.add", "np.subtract")
    assert fingerprint() != before


def test_comments_docstrings_and_layout_do_not_count(package):
    folder, fingerprint = package
    before = fingerprint()
    edit(folder / "program.py", '"""Help."""', '"""Other help."""\n\n# a comment\n')
    edit(folder / "inner" / "used.py", "return np.add(x, x)", "return np.add(\n        x, x\n    )  # twice")
    edit(folder / "__init__.py", "Top", "Root")
    assert fingerprint() == before


def test_a_module_that_is_not_imported_does_not_count_unless_named(package):
    folder, fingerprint = package
    alone, named = fingerprint(), fingerprint("workflow_scripts.program", "workflow_scripts.inner.other")
    edit(folder / "inner" / "other.py", "1", "2")
    assert fingerprint() == alone
    assert fingerprint("workflow_scripts.program", "workflow_scripts.inner.other") != named


def test_versions_of_imported_and_named_packages_count(package, monkeypatch):
    _, fingerprint = package
    before, with_scipy = fingerprint(), fingerprint(packages=["scipy"])
    real = module.importlib.metadata.version
    monkeypatch.setattr(
        module.importlib.metadata, "version", lambda name: "0" if name == "scipy" else real(name)
    )
    assert fingerprint() == before
    assert fingerprint(packages=["scipy"]) != with_scipy
    monkeypatch.setattr(
        module.importlib.metadata, "version", lambda name: "0" if name == "numpy" else real(name)
    )
    assert fingerprint() != before


def test_packages_are_known_by_the_name_they_are_imported_under():
    assert module.installed_version("sklearn") == module.installed_version("scikit-learn") != "absent"
    assert module.installed_version("git") != "absent"
    assert module.installed_version("no_such_package") == "absent"


def test_a_module_that_is_not_there_is_an_error(package):
    _, fingerprint = package
    with pytest.raises(ModuleNotFoundError, match=r"no module workflow_scripts\.absent"):
        fingerprint("workflow_scripts.absent")


def test_every_program_of_the_package_has_a_fingerprint(root):
    programs = sorted(
        path.stem for path in (root / "workflow_scripts").glob("*.py") if path.stem != "__init__"
    )
    assert len(programs) > 15
    for name in programs:
        assert len(module.code_hash(f"workflow_scripts.{name}")) == 16
