"""What a plugin can find out about the Terraform that has started it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crusoe_provider.providerserver.terraform import Phase, TerraformProcess, phase_of


@pytest.mark.parametrize(
    ("command", "phase"),
    [
        ("terraform plan", Phase.PLANS),
        ("terraform -chdir=/x plan -out=p", Phase.PLANS),
        ("tofu refresh", Phase.PLANS),
        ("terraform import a.b c", Phase.PLANS),
        ("terraform apply", Phase.DOES_BOTH),
        ("terraform apply -auto-approve -json", Phase.DOES_BOTH),
        ("terraform apply -var a=b -target x.y", Phase.DOES_BOTH),
        ("terraform apply -auto-approve -var-file x.tfvars", Phase.DOES_BOTH),
        ("terraform apply p", Phase.APPLIES),
        ("terraform apply -json -parallelism=1 p", Phase.APPLIES),
        ("terraform apply --parallelism 1 p", Phase.APPLIES),
        ("terraform destroy", Phase.DOES_BOTH),
        ("terraform test", Phase.DOES_BOTH),
        ("terraform", Phase.UNKNOWN),
        ("python3 agent.py", Phase.UNKNOWN),
    ],
)
def test_phases_of_commands(command: str, phase: Phase) -> None:
    """The command says whether Terraform plans, applies, or does one after the other."""
    assert phase_of(command.split()) is phase


@contextmanager
def terraform(folder: Path, *arguments: str) -> Iterator[int]:
    """Run a process with the command line of Terraform, and give its ID.

    It is Python, for which the first argument is the script.
    """
    (folder / arguments[0]).write_text("print(flush=True)\ninput()\n")
    with subprocess.Popen(
        ["terraform", *arguments],
        executable=sys.executable,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield process.pid
        finally:
            process.kill()


def test_a_note_reaches_the_process_that_applies(tmp_path: Path) -> None:
    """It is for the same Terraform and the same account, and is gone once it was used."""
    notes = tmp_path / "notes"
    notes.mkdir()
    with terraform(tmp_path, "apply", "-auto-approve") as pid:
        planning, applying = (
            TerraformProcess(pid, {}, folder=notes).with_label("account") for _ in range(2)
        )
        other = TerraformProcess(pid, {}, folder=notes).with_label("another account")

        assert planning.may_be_applying() is False
        planning.note_reliance()

        assert applying.may_be_applying() is True
        assert other.may_be_applying() is False
        (note,) = notes.iterdir()
        assert note.stat().st_mode & 0o077 == 0
        applying.forget_reliance()
        assert list(notes.iterdir()) == []
        assert applying.may_be_applying() is True


def test_notes_of_processes_that_are_gone_are_removed(tmp_path: Path) -> None:
    """Somebody has said no to the plan, or the machine went down."""
    notes = tmp_path / "notes"
    notes.mkdir()
    with terraform(tmp_path, "apply") as pid:
        TerraformProcess(pid, {}, folder=notes).note_reliance()
    with terraform(tmp_path, "apply") as pid:
        TerraformProcess(pid, {}, folder=notes).note_reliance()

    assert len(list(notes.iterdir())) == 1


@pytest.mark.parametrize(
    ("arguments", "applying", "saved"),
    [
        (("plan",), False, False),
        (("apply", "p"), True, True),
        (("apply",), False, False),
        (("console",), False, False),
    ],
)
def test_commands_that_need_no_note(
    tmp_path: Path, arguments: tuple[str, ...], applying: bool, saved: bool
) -> None:
    """They say themselves what they do; and nothing is left behind."""
    with terraform(tmp_path, *arguments) as pid:
        process = TerraformProcess(pid, {}, folder=tmp_path / "nothing")

        assert process.may_be_applying() is applying
        assert process.applies_saved_plan() is saved


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, 10),
        ({"TF_CLI_ARGS": "-parallelism=3"}, 3),
        ({"TF_CLI_ARGS": "-parallelism=3", "TF_CLI_ARGS_apply": "-parallelism=4"}, 4),
        ({"TF_CLI_ARGS_plan": "-parallelism=5"}, 10),
    ],
)
def test_parallelism_may_come_from_the_environment(
    tmp_path: Path, environ: dict[str, str], expected: int
) -> None:
    """As Terraform takes it, for the command that it runs."""
    with terraform(tmp_path, "apply") as pid:
        assert TerraformProcess(pid, environ).parallelism() == expected


def test_parallelism_of_the_command_line_goes_before_the_environment(tmp_path: Path) -> None:
    """Also for Terraform."""
    with terraform(tmp_path, "plan", "-parallelism=1") as pid:
        assert TerraformProcess(pid, {"TF_CLI_ARGS_plan": "-parallelism=5"}).parallelism() == 1


def test_other_plugins_are_other_children(tmp_path: Path) -> None:
    """This process is the parent here."""
    with terraform(tmp_path, "plan"):
        assert TerraformProcess(os.getpid()).other_plugins() > 0


def test_without_other_plugins_there_is_this_process_alone(tmp_path: Path) -> None:
    """As in most configurations of one provider."""
    program = (
        "import os\n"
        "from crusoe_provider.providerserver.terraform import TerraformProcess\n"
        "print(TerraformProcess(os.getppid()).other_plugins())"
    )
    shell = f"{sys.executable} -c '{program}'; exit"

    done = subprocess.run(
        ["sh", "-c", shell], capture_output=True, text=True, cwd=tmp_path, check=True
    )

    assert done.stdout == "0\n"


def test_a_process_that_is_gone_is_no_obstacle(tmp_path: Path) -> None:
    """Nothing can be found out, so the check is left to the creation."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    gone = TerraformProcess(process.pid, {}, folder=tmp_path)

    assert gone.may_be_applying() is True
    assert gone.applies_saved_plan() is False
    assert gone.parallelism() == 10
    assert gone.other_plugins() == 0
    gone.forget_reliance()
