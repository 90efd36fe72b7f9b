import pytest

from workflow_scripts.commands.config_files import check_config_files
from workflow_scripts.errors import UserError


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"run: caf\xe9\n", "byte 9 is no UTF-8; save the file as UTF-8"),
        (b"run: x\nprobe: &a\n  model: *a\n", "what model names holds itself"),
        (b"run: x\nlist: &a [1, *a]\n", "what 1 names holds itself"),
        (b"run: x\nprobe: {model: [\n", "line 3: expected the node content"),
    ],
)
def test_a_file_that_snakemake_answers_with_a_traceback_is_refused_in_one_sentence(tmp_path, content, said):
    path = tmp_path / "own.yaml"
    path.write_bytes(content)
    good = tmp_path / "good.yaml"
    good.write_text("run: x\n")
    for arguments in (
        ["report", "--configfile", str(good), str(path), "-n"],
        [f"--configfile={path}"],
        ["--configfiles", str(path)],
    ):
        with pytest.raises(UserError, match=said) as mistake:
            check_config_files(arguments)
        assert str(path) in str(mistake.value) and "\n" not in str(mistake.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"own\.yaml cannot be read: No such file"):
        check_config_files(["--configfile", str(tmp_path / "own.yaml")])


def test_one_value_named_twice_is_no_loop_and_other_options_are_no_files(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("a: &a {b: [1]}\nc: *a\nd: [*a, *a]\n")
    check_config_files(["all", "--configfile", str(path), "--cores", "2", "report"])
