from pathlib import Path

from workflow_scripts.workflow_files import IS_CHECKOUT, ROOT, snakefile, workflow_file


def test_a_checkout_has_its_files_beside_the_package(root):
    assert IS_CHECKOUT
    assert root == ROOT
    assert snakefile().read_text().startswith('"""Plumbline')


def test_a_file_is_named_by_its_relative_path_below_the_working_directory_alone(root, tmp_path, monkeypatch):
    monkeypatch.chdir(root)
    assert workflow_file("published/pretraining.csv") == "published/pretraining.csv"
    monkeypatch.chdir(tmp_path)
    named = Path(workflow_file("published/pretraining.csv"))
    assert named.is_absolute() and named.is_file()
