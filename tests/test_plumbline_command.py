import os
import sys

import pytest

from workflow_scripts.plumbline_command import main


def test_run_hands_its_arguments_to_snakemake_in_their_order(root, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("run: mine\n")
    started = []
    monkeypatch.setattr(os, "execv", lambda program, command: started.append((program, command)))
    main(["run", "report", "--cores", "2", "-n", "--configfile", "mine.yaml"])
    begin = [sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile")]
    assert started == [
        (sys.executable, [*begin, "report", "--cores", "2", "-n", "--configfile", "mine.yaml"])
    ]


def test_run_looks_at_config_files_first(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(os, "execv", lambda program, command: pytest.fail("Snakemake was started"))
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"run: caf\xe9\n")
    with pytest.raises(SystemExit):
        main(["run", "-n", "--configfile", str(path)])
    assert capsys.readouterr().err.startswith(f"error: --configfile {path}: byte 9 is no UTF-8")


def test_where_prints_the_folder_of_the_configs(root, capsys):
    main(["where"])
    assert capsys.readouterr().out == f"{root}\n"
    with pytest.raises(SystemExit):
        main(["where", "else"])
    assert "unrecognized arguments: else" in capsys.readouterr().err
