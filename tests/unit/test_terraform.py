"""What a plugin can find out about the Terraform that has started it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crusoe_provider.providerserver.command_line import CommandLine, Does
from crusoe_provider.providerserver.processes import Process
from crusoe_provider.providerserver.terraform import Phase, Terraform

APPLY = ("apply", "-auto-approve")
BLOCK = b"provider block"


def read(command: str, environ: dict[str, str] | None = None) -> CommandLine:
    return CommandLine.read(command.split(), environ or {})


@pytest.mark.parametrize(
    ("command", "does"),
    [
        ("terraform plan", Does.PLANS),
        ("terraform -chdir=/x plan -out=p", Does.PLANS),
        ("tofu -chdir=team plan", Does.PLANS),
        ("tofu-1.12 -chdir=/srv/team apply p", Does.APPLIES),
        ("/opt/tenv/OpenTofu/1.12.6/tofu --chdir=x apply", Does.BOTH),
        ("/home/m/.tofuenv/versions/1.8.0/tofu -no-color=m apply -exclude-file x", Does.BOTH),
        ("tofu refresh", Does.PLANS),
        ("terraform import a.b c", Does.PLANS),
        ("terraform console", Does.PLANS),
        ("terraform query", Does.PLANS),
        ("terraform apply", Does.BOTH),
        ("terraform apply -auto-approve -json", Does.BOTH),
        ("terraform apply -var a=b -target x.y", Does.BOTH),
        ("terraform apply -auto-approve -var-file x.tfvars", Does.BOTH),
        ("terraform apply -invoke action.a.b", Does.BOTH),
        ("tofu apply -exclude a.b", Does.BOTH),
        ("terraform apply p", Does.APPLIES),
        ("terraform apply -- p", Does.APPLIES),
        ("terraform apply --", Does.BOTH),
        ("terraform apply -var", Does.BOTH),
        ("terraform apply -json -parallelism=1 p", Does.APPLIES),
        ("terraform apply --parallelism 1 p", Does.APPLIES),
        ("python -I -m runner apply p", Does.APPLIES),
        ("python -Im runner plan", Does.PLANS),
        ("terraform destroy", Does.BOTH),
        ("terraform test", Does.UNKNOWN),
        ("terraform", Does.UNKNOWN),
        ("python3 agent.py", Does.UNKNOWN),
        ("", Does.UNKNOWN),
    ],
)
def test_what_commands_do(command: str, does: Does) -> None:
    """Terraform plans, applies, or does one after the other."""
    assert read(command).does() is does


@pytest.mark.parametrize(
    ("arguments", "replaced"),
    [
        ("apply", 0),
        ("plan -replace=a_b.x", 1),
        ("plan -replace a_b.x p", 1),
        ("plan -replace=a_b.x -replace=a_b.y", 2),
        ("plan -replace=a_b.x -replace=a_b.x", 1),
        ("plan -replace=a_b.x[0] -replace=a_b.x[1]", 2),
        ('plan -replace=module.m["a_b.x"].a_b.y["z.q_r.s"]', 1),
        ('plan -replace=q_r.x["k.a_b.x"]', 0),
        ('plan -replace=module.m["a_b.x"].q_r.y', 0),
        ("plan -replace=q_r.x -replace=a_b_c.x -replace=x_a_b.c", 0),
        ("plan -target=a_b.x", 0),
        ("plan -replace", 0),
    ],
)
def test_what_a_command_replaces_is_counted_by_type(arguments: str, replaced: int) -> None:
    """By the addresses that it gives; the type is that of the last step."""
    assert read(f"terraform {arguments}").replaces("a_b") == replaced
    assert read("terraform plan", {"TF_CLI_ARGS_plan": "-replace=a_b.x"}).replaces("a_b") == 1


def test_a_saved_plan_may_come_from_the_environment() -> None:
    """As any other argument."""
    assert read("terraform apply", {"TF_CLI_ARGS_apply": "-json p"}).does() is Does.APPLIES


@pytest.mark.parametrize(
    ("command", "environ"),
    [
        ("terraform destroy", {}),
        ("tofu destroy -auto-approve", {}),
        ("terraform refresh", {}),
        ("terraform plan -destroy", {}),
        ("terraform plan --destroy", {}),
        ("terraform plan -out p -destroy=true", {}),
        ("terraform plan --destroy=1", {}),
        ("terraform plan -destroy=false -destroy", {}),
        ("terraform apply -destroy -auto-approve", {}),
        ("terraform apply -refresh-only", {}),
        ("terraform plan --refresh-only=T", {}),
        ("terraform -chdir=x plan -refresh-only", {}),
        ("terraform plan", {"TF_CLI_ARGS": "-destroy"}),
        ("terraform plan", {"TF_CLI_ARGS_plan": "-no-color --refresh-only"}),
        ("terraform apply -var a=b", {"TF_CLI_ARGS_apply": "-var 'c=d e' -destroy"}),
    ],
)
def test_commands_that_create_nothing(command: str, environ: dict[str, str]) -> None:
    """Whatever way a destruction or a refresh is asked for."""
    assert read(command, environ).creates_nothing()


@pytest.mark.parametrize(
    ("command", "environ"),
    [
        ("terraform plan", {}),
        ("terraform apply", {}),
        ("terraform apply p", {}),
        ("terraform apply -destroy p", {}),
        ("terraform plan -var -destroy", {}),
        ("terraform plan -out -destroy", {}),
        ("terraform plan -destroy=false", {}),
        ("terraform plan -destroy -destroy=0", {}),
        ("terraform plan -destroy=maybe", {}),
        ("terraform plan -- -destroy", {}),
        ("terraform plan -refresh=false", {}),
        ("terraform plan", {"TF_CLI_ARGS_apply": "-destroy"}),
        ("terraform plan -destroy=false", {"TF_CLI_ARGS": "-destroy"}),
        ("terraform plan", {"TF_CLI_ARGS": "-destroy 'unbalanced"}),
        ("terraform test -destroy", {}),
        ("terraform", {}),
        ("", {}),
    ],
)
def test_commands_that_may_create(command: str, environ: dict[str, str]) -> None:
    """What looks like the option may be a value, or be taken back."""
    assert not read(command, environ).creates_nothing()


@pytest.mark.parametrize(
    ("command", "environ", "expected"),
    [
        ("terraform apply", {}, 10),
        ("terraform apply -parallelism 2", {}, 2),
        ("terraform apply -parallelism=x", {}, 10),
        ("terraform apply", {"TF_CLI_ARGS": "-parallelism=3"}, 3),
        (
            "terraform apply",
            {"TF_CLI_ARGS_apply": "-parallelism=4", "TF_CLI_ARGS": "-parallelism=3"},
            4,
        ),
        ("terraform apply", {"TF_CLI_ARGS_plan": "-parallelism=5"}, 10),
        ("terraform plan --parallelism=1", {"TF_CLI_ARGS_plan": "-parallelism=5"}, 1),
    ],
)
def test_parallelism(command: str, environ: dict[str, str], expected: int) -> None:
    """The command line goes before the environment, as for Terraform."""
    assert read(command, environ).parallelism() == expected


@contextmanager
def running(folder: Path, *arguments: str, name: str = "terraform") -> Iterator[int]:
    """Run a process with the command line of Terraform, and give its ID.

    It is Python, for which the first argument is the script.
    """
    (folder / arguments[0]).write_text("print(flush=True)\ninput()\n")
    with subprocess.Popen(
        [name, *arguments],
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


ASK = """
import sys
from crusoe_provider.providerserver.terraform import Terraform
terraform = Terraform(int(sys.argv[1]), {}, folder=sys.argv[2])
terraform.configures(sys.argv[3].encode(), deferral_allowed=False, version="1.8.5")
print(terraform.phase().name, flush=True)
sys.stdin.read()
"""


@contextmanager
def plugin(pid: int, folder: Path, block: str = "block") -> Iterator[str]:
    """Run a plugin of a Terraform, and give the phase that it finds out."""
    command = [sys.executable, "-c", ASK, str(pid), str(folder), block]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.communicate()


def markers(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_the_first_process_of_a_command_plans_and_the_one_after_it_applies(tmp_path: Path) -> None:
    """For each provider block by itself; what lives at the same time is at the same work."""
    with running(tmp_path, *APPLY) as pid:
        with plugin(pid, tmp_path) as first, plugin(pid, tmp_path) as second:
            assert (first, second) == ("PLANNING", "PLANNING")
        with plugin(pid, tmp_path) as third, plugin(pid, tmp_path) as fourth:
            assert (third, fourth) == ("APPLYING", "APPLYING")
        with plugin(pid, tmp_path, "another block") as other:
            assert other == "PLANNING"


def test_a_marker_is_private(tmp_path: Path) -> None:
    """Nobody else can read it, or enter its folder."""
    with running(tmp_path, *APPLY) as pid, plugin(pid, tmp_path):
        (marker,) = (file for file in markers(tmp_path) if file.name not in APPLY)

        assert marker.stat().st_mode & 0o077 == 0
        assert marker.parent.stat().st_mode & 0o777 == 0o700


def test_markers_of_commands_that_are_gone_are_removed(tmp_path: Path) -> None:
    """Somebody has said no to the plan, or the machine went down."""
    folder = tmp_path / "markers"
    folder.mkdir()
    for _ in range(2):
        with running(tmp_path, *APPLY) as pid, plugin(pid, folder):
            pass

    assert len(markers(folder)) == 1


@pytest.fixture
def marker_folder(tmp_path: Path) -> Path:
    return tmp_path / f"tf-provider-server-{os.getuid()}"


def test_a_folder_that_others_can_enter_is_not_used(tmp_path: Path, marker_folder: Path) -> None:
    """Somebody may have planted it."""
    marker_folder.mkdir(mode=0o755)
    with running(tmp_path, *APPLY) as pid, plugin(pid, tmp_path) as phase:
        assert phase == "UNKNOWN"
    assert markers(marker_folder) == []


def test_no_symlink_is_followed(tmp_path: Path, marker_folder: Path) -> None:
    """Neither in place of the folder nor in place of a marker."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    marker_folder.symlink_to(elsewhere)
    with running(tmp_path, *APPLY) as pid, plugin(pid, tmp_path) as phase:
        assert phase == "UNKNOWN"
    assert markers(elsewhere) == []

    marker_folder.unlink()
    with running(tmp_path, *APPLY) as pid:
        with plugin(pid, tmp_path):
            (marker,) = markers(marker_folder)
        target = elsewhere / "target"
        target.write_text("untouched")
        marker.unlink()
        marker.symlink_to(target)
        with plugin(pid, tmp_path) as phase:
            assert phase == "UNKNOWN"
    assert target.read_text() == "untouched"


@pytest.mark.parametrize(
    ("content", "phase"),
    [
        ("", "PLANNING"),
        ("1-1", "APPLYING"),
        ("nonsense", "UNKNOWN"),
        ("9" * 30 + "-1", "APPLYING"),
        ("\xff", "UNKNOWN"),
    ],
)
def test_markers_with_other_content(
    tmp_path: Path, marker_folder: Path, content: str, phase: str
) -> None:
    """An empty one is being written just now; nonsense tells nothing."""
    with running(tmp_path, *APPLY) as pid:
        with plugin(pid, tmp_path):
            (marker,) = markers(marker_folder)
        marker.write_text(content)
        with plugin(pid, tmp_path) as found:
            assert found == phase


def test_without_a_place_for_markers_nothing_is_known(tmp_path: Path) -> None:
    """A read-only or missing folder is no obstacle."""
    with running(tmp_path, *APPLY) as pid, plugin(pid, tmp_path / "missing") as phase:
        assert phase == "UNKNOWN"


@pytest.mark.parametrize(
    ("arguments", "phase"),
    [
        (("plan",), Phase.PLANNING),
        (("apply", "p"), Phase.APPLYING),
        (("console",), Phase.PLANNING),
        (("agent.py",), Phase.UNKNOWN),
    ],
)
def test_commands_that_need_no_marker(
    tmp_path: Path, arguments: tuple[str, ...], phase: Phase
) -> None:
    """They say themselves what they do; and nothing is left behind."""
    folder = tmp_path / "markers"
    folder.mkdir()
    with running(tmp_path, *arguments) as pid:
        terraform = Terraform(pid, {}, folder=str(folder))
        terraform.configures(BLOCK, deferral_allowed=False, version="1.8.0")

        assert terraform.phase() is phase
    assert list(folder.iterdir()) == []


def test_capabilities_tell_before_everything_else(tmp_path: Path) -> None:
    """Without a look at the command, or a file."""
    folder = tmp_path / "markers"
    folder.mkdir()
    with running(tmp_path, *APPLY) as pid:
        terraform = Terraform(pid, {}, folder=str(folder))
        terraform.configures(BLOCK, deferral_allowed=True, version="1.15.5")
        assert terraform.phase() is Phase.APPLYING
    assert list(folder.iterdir()) == []


TERRAFORM = b"\x7fELF\0path\tgithub.com/hashicorp/terraform\nmod\t"
OPENTOFU = (
    b"\x7fELF\0path\tgithub.com/opentofu/opentofu/cmd/tofu\nmod\tgithub.com/opentofu/opentofu\t"
)


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """What lets every process run a program with such a content."""

    def build(content: bytes) -> None:
        program = tmp_path / "program"
        program.write_bytes(content)
        monkeypatch.setattr("psutil.Process.exe", lambda _: str(program))

    return build


@pytest.mark.parametrize("name", ["terraform", "tf", "terraform-1.9"])
@pytest.mark.parametrize("version", ["1.9.0", "1.15.5", "1.16.0-rc2", "2.0.0"])
def test_a_recent_terraform_that_does_not_apply_plans(
    tmp_path: Path, built: Callable[[bytes], None], name: str, version: str
) -> None:
    """It would say so, whatever it is called."""
    built(TERRAFORM)
    with running(tmp_path, *APPLY, name=name) as pid:
        terraform = Terraform(pid, {}, folder=str(tmp_path / "missing"))
        terraform.configures(BLOCK, deferral_allowed=False, version=version)

        assert terraform.phase() is Phase.PLANNING


@pytest.mark.parametrize(
    ("content", "version"),
    [(OPENTOFU, "1.12.6"), (TERRAFORM, "1.8.5"), (TERRAFORM, "junk"), (b"", "1.12.6")],
)
@pytest.mark.parametrize("name", ["tofu", "terraform"])
def test_what_would_not_say_so_is_looked_at(
    tmp_path: Path, built: Callable[[bytes], None], name: str, content: bytes, version: str
) -> None:
    """OpenTofu counts its versions on from Terraform's, and may be called terraform, too."""
    built(content)
    with running(tmp_path, *APPLY, name=name) as pid:
        terraform = Terraform(pid, {}, folder=str(tmp_path / "missing"))
        terraform.configures(BLOCK, deferral_allowed=False, version=version)

        assert terraform.phase() is Phase.UNKNOWN


@pytest.mark.parametrize(("content", "takes"), [(TERRAFORM, True), (OPENTOFU, False), (b"", False)])
def test_only_terraform_takes_an_ephemeral_value_that_is_unknown(
    tmp_path: Path, built: Callable[[bytes], None], content: bytes, takes: bool
) -> None:
    """OpenTofu would call it a defect, so null is given where it may be one."""
    built(content)
    with running(tmp_path, "refresh") as pid:
        assert Terraform(pid, {}).takes_unknown_results() is takes


def test_a_program_that_cannot_be_read_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may belong to somebody else, or have been replaced by an update meanwhile."""
    monkeypatch.setattr("psutil.Process.exe", lambda _: str(tmp_path / "gone"))
    with running(tmp_path, *APPLY) as pid:
        terraform = Terraform(pid, {}, folder=str(tmp_path / "missing"))
        terraform.configures(BLOCK, deferral_allowed=False, version="1.15.5")

        assert terraform.phase() is Phase.UNKNOWN


def test_before_it_is_configured_nothing_is_known() -> None:
    """As in a validation."""
    assert Terraform(os.getpid(), {}).phase() is Phase.UNKNOWN


def test_the_command_is_that_of_the_process(tmp_path: Path) -> None:
    """With what the environment adds to it."""
    with running(tmp_path, "plan", "-parallelism=3") as pid:
        assert Terraform(pid, {}).parallelism() == 3
        assert not Terraform(pid, {}).creates_nothing()
        assert Terraform(pid, {"TF_CLI_ARGS": "-destroy"}).creates_nothing()


def test_other_plugins_are_other_children(tmp_path: Path) -> None:
    """This process is the parent here. One that has ended counts."""
    terraform = Terraform(os.getpid())
    with running(tmp_path, "plan"):
        seen = terraform.other_plugins()
    assert seen > 0
    assert terraform.other_plugins() == seen


def test_without_other_plugins_there_is_this_process_alone(tmp_path: Path) -> None:
    """As in most configurations of one provider."""
    program = (
        "import os\n"
        "from crusoe_provider.providerserver.terraform import Terraform\n"
        "print(Terraform(os.getppid()).other_plugins())"
    )
    shell = f"{sys.executable} -c '{program}'; exit"

    done = subprocess.run(
        ["sh", "-c", shell], capture_output=True, text=True, cwd=tmp_path, check=True
    )

    assert done.stdout == "0\n"


def test_a_process_that_is_gone_is_no_obstacle(tmp_path: Path) -> None:
    """Nothing can be found out."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    gone = Terraform(process.pid, {}, folder=str(tmp_path))
    gone.configures(BLOCK, deferral_allowed=False, version="1.15.0")

    assert gone.phase() is Phase.UNKNOWN
    assert not gone.creates_nothing()
    assert gone.parallelism() == 10
    assert gone.other_plugins() == 0
    assert not Process.of(process.pid).program_contains(b"")
    assert not Process.of(process.pid).is_alive()
