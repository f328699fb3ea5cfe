"""Whether a command that is printed works where it is pasted."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from crusoe_provider.cli.installation import NAME
from crusoe_provider.cli.invocation import invocation


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that was started by its path; nothing is on the path of the shell."""
    path = tmp_path / "a folder" / NAME
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(path), "install"])
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return path


def test_it_is_a_path_that_a_shell_takes(program: Path) -> None:
    """With blanks in it, too."""
    assert invocation() == f"'{program}'"


def test_a_path_from_the_working_folder_works_in_another_one(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(program.parent)
    monkeypatch.setattr(sys, "argv", [f"./{NAME}"])

    assert shlex.split(invocation()) == [str(program)]


def test_it_is_the_name_where_the_shell_finds_it(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also by a link."""
    (program.parents[1] / "bin" / NAME).symlink_to(program)
    assert invocation() == NAME

    monkeypatch.setenv("PATH", str(program.parent))
    assert invocation() == NAME


def test_the_name_may_lead_to_another_one(program: Path) -> None:
    """Of another version, perhaps, which would undo something else."""
    other = program.parents[1] / "bin" / NAME
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)

    assert shlex.split(invocation()) == [str(program)]


def test_the_binary_of_a_release_is_named(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has another name than the commands in the guides."""
    binary = program.rename(program.with_name(f"{NAME}_v0.1.0"))
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(binary))
    monkeypatch.setattr(sys, "argv", [NAME])

    assert shlex.split(invocation()) == [str(binary)]


def test_a_working_folder_that_is_gone_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then a path from there leads nowhere."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    monkeypatch.setattr(sys, "argv", [f"./{NAME}"])

    assert shlex.split(invocation()) == [sys.executable, "-m", "crusoe_provider"]


def test_a_module_is_started_as_one(tmp_path: Path) -> None:
    """`python -m crusoe_provider`; what is printed is started, and works."""
    environ = {"HOME": str(tmp_path), "PATH": os.defpath}
    asked = [sys.executable, "-m", "crusoe_provider", "install", "--plugin-dir", f"{tmp_path}/m"]
    installed = subprocess.run(asked, env=environ, capture_output=True, text=True, check=True)

    undo = installed.stdout.partition("To undo it: ")[2]
    pasted = ["/bin/sh", "-c", undo]
    undone = subprocess.run(pasted, env=environ, capture_output=True, text=True, check=True)

    assert undone.stdout.startswith("Version ")
    assert list((tmp_path / "m").iterdir()) == []


def test_a_module_is_no_program_of_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if its file may be executed, as all may on some file systems."""
    path = tmp_path / "__main__.py"
    path.write_text("import sys\n")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(path)])

    assert shlex.split(invocation()) == [sys.executable, "-m", "crusoe_provider"]


def test_help_is_printed_whatever_the_terminal_knows(tmp_path: Path) -> None:
    """It holds the path of the program."""
    path = tmp_path / "\u00fc" / NAME
    path.parent.mkdir()
    path.write_text(
        "import sys\nfrom crusoe_provider.cli.command_line import run\nrun(sys.argv[1:])\n"
    )
    path.chmod(0o755)

    done = subprocess.run(
        [sys.executable, path, "--help"],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "\\xfc" in done.stdout
