"""The demonstration, as a newcomer runs it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
import pytest

from harness import terraforms

pytestmark = pytest.mark.acceptance

REPOSITORY: Final = terraforms.REPOSITORY
EXAMPLE: Final = REPOSITORY / "examples" / "terraform" / "quickstart"
DEMO_FOLDER: Final = REPOSITORY / "tools" / "demo_folder.py"
SECONDS: Final = 120


def test_the_demonstration_shows_a_whole_life(tmp_path: Path) -> None:
    """From the plan to the revocation, with the facts that a newcomer asks about.

    In its folder, whatever an earlier run has left there, and nowhere else.
    """
    folder, home, temporary = (tmp_path / name for name in ("demo", "home", "tmp"))
    home.mkdir()
    temporary.mkdir()
    failed = _run(folder, configuration=_broken_example(tmp_path))

    done = _run(folder, HOME=str(home), TMPDIR=str(temporary))

    _check_failure(folder, failed)
    assert done.returncode == 0, done.stdout + done.stderr
    token_id = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    assert re.search(rf"Created: token {token_id}\n +Access key ID: CKIA\w{{16}}\n", done.stdout)
    for told in (
        "Plan: 1 to add, 0 to change, 0 to destroy.",
        "Exit code 0: no changes.",
        "secret_key = <sensitive>",
        "Destroy complete! Resources: 1 destroyed.",
        "got it back: Hello, Crusoe",
        "is gone",
        "is refused at once: InvalidAccessKeyId",
        "Apply complete! Resources: 0 added, 1 changed, 0 destroyed.",
        "Generation 2: CKIA",
        "The bucket has answered both.",
    ):
        assert told in done.stdout
    assert "\x1b[" not in done.stdout
    assert done.stderr == ""
    assert _processes_of(folder) == []
    assert list(home.iterdir()) == []
    assert list(temporary.iterdir()) == []
    # `make clean` deletes a folder without anybody's work.
    subprocess.run([sys.executable, str(DEMO_FOLDER), str(folder)], check=True)
    assert not folder.exists()


def _check_failure(folder: Path, failed: subprocess.CompletedProcess[str]) -> None:
    """Check that it said which step failed, in Terraform's own words, and where the logs are."""
    assert failed.returncode == 1
    assert "Unsupported argument" in failed.stdout
    assert "FAILED: terraform validate ended with exit code 1." in failed.stdout
    assert f"Logs: {folder / 'logs'}" in failed.stdout


def test_somebody_elses_folder_is_left_alone(tmp_path: Path) -> None:
    """Only a folder that the demonstration has made, or an empty one, is cleared."""
    precious = tmp_path / "work" / "precious.txt"
    precious.parent.mkdir()
    precious.touch()

    refused = _run(tmp_path)

    assert refused.returncode == 1
    assert "holds files of somebody else" in refused.stdout
    assert precious.exists()


def test_missing_terraform_is_explained(tmp_path: Path) -> None:
    """Before anything else is done."""
    refused = _run(tmp_path / "demo", PATH="", TERRAFORM="")

    assert refused.returncode == 1
    assert "https://developer.hashicorp.com/terraform/install" in refused.stderr
    assert not (tmp_path / "demo").exists()


def test_a_secret_in_the_output_ends_the_demonstration(tmp_path: Path) -> None:
    """A configuration that prints the secret is caught, though it has been printed by then."""
    configuration = _example_with(
        tmp_path,
        'output "leak" {\n  value = nonsensitive(crusoe_storage_token.quickstart.secret_key)\n}\n',
    )

    failed = _run(tmp_path / "demo", configuration=configuration)

    assert failed.returncode == 1
    assert "The secret of the storage token appeared in the output." in failed.stdout


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_an_interrupted_demonstration_leaves_nothing_running(
    tmp_path: Path, number: signal.Signals, exit_code: int
) -> None:
    """Terraform is told to stop, and the simulator is ended, even in the middle of an apply."""
    reached = tmp_path / "reached"
    os.mkfifo(reached)
    configuration = _example_with(
        tmp_path,
        'resource "crusoe_storage_token" "quickstart" {\n'
        '  provisioner "local-exec" {\n'
        f"    command = \"echo > '{reached}'; exec sleep 300\"\n"
        "  }\n"
        "}\n",
        name="endless_override.tf",
    )
    folder = tmp_path / "demo"

    with _started(folder, configuration=configuration) as process:
        reached.read_bytes()  # returns once the provisioner has opened its end
        process.send_signal(number)
        said, _ = process.communicate(timeout=SECONDS)

    assert process.returncode == exit_code, said
    assert _processes_of(folder) == []


def test_the_playground_stays_until_it_is_interrupted(tmp_path: Path) -> None:
    """It prints what to paste into another terminal; a second one in the same place is refused."""
    folder = tmp_path / "demo"

    with _started(folder, "--keep") as process:
        assert process.stdout
        shown = ""
        while "Ctrl-C ends the simulator" not in shown:
            line = process.stdout.readline()
            assert line, shown
            shown += line
        second = _run(folder)
        exports = dict(re.findall(r"^export (\w+)=(.+)$", shown, re.MULTILINE))
        planned = subprocess.run(
            [terraforms.executable(), "plan", "-detailed-exitcode"],
            cwd=folder / "work",
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)} | exports,
            check=False,
            capture_output=True,
            text=True,
        )
        tried = _try_all(shown, exports, tmp_path)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=SECONDS)

    for expected in (
        *("1 of 2 used", "Plan needs more storage tokens than a user may have"),
        *("1 added, 0 changed, 1 destroyed", "TOKEN ID", "Storage token no longer exists"),
    ):
        assert expected in tried, tried
    assert second.returncode == 1
    assert "Another demonstration or playground" in second.stdout
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert process.returncode == 0
    assert _processes_of(folder) == []


def test_what_the_reader_has_written_is_kept(tmp_path: Path) -> None:
    """Changed and new files survive the next demonstration, and `make clean`; others do not."""
    folder = tmp_path / "demo"
    _run(folder, configuration=_broken_example(tmp_path))
    work = folder / "work"
    (work / "main.tf").write_text("# mine\n")
    (work / "extra.tf").write_text("# mine, too\n")

    again = _run(folder)
    (work / "outputs.tf").write_text("# the third\n")
    # With a Python that has nothing installed, as `make clean` may find it.
    command = [sys.executable, "-IS", str(DEMO_FOLDER), str(folder)]
    cleaned = subprocess.run(command, capture_output=True, text=True, check=True)

    assert again.returncode == 0, again.stdout + again.stderr
    assert re.search(r"What you have written is kept: .*kept/1/work/extra\.tf\n", again.stdout)
    assert f"by hand: {folder}/kept/2/work/outputs.tf\n" in cleaned.stdout
    left = {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*.tf")}
    assert left == {
        "kept/1/work/extra.tf": "# mine, too\n",
        "kept/1/work/main.tf": "# mine\n",
        "kept/2/work/outputs.tf": "# the third\n",
    }
    assert not (folder / "work").exists()


def test_a_folder_that_is_not_the_demonstrations_stays_as_it_is(tmp_path: Path) -> None:
    """Whatever `make clean` is told."""
    (tmp_path / "precious.txt").touch()

    subprocess.run([sys.executable, str(DEMO_FOLDER), str(tmp_path)], check=True)

    assert list(tmp_path.iterdir()) == [tmp_path / "precious.txt"]


def _try_all(shown: str, exports: dict[str, str], home: Path) -> str:
    """Paste what the playground says, and return all that comes of it."""
    _, _, pasted = shown.partition("Paste this into another terminal")
    lines = [line for line in pasted.splitlines()[1:-2] if not line.startswith("   Then")]
    (home / "bin").mkdir()
    (home / "bin" / "terraform").symlink_to(terraforms.executable())
    done = subprocess.run(
        ["bash"],
        input="\n".join(lines),
        env={"PATH": f"{home / 'bin'}:/usr/bin:/bin", "HOME": str(home)}
        | {"TF_CLI_ARGS": "-no-color", "TF_CLI_ARGS_apply": "-auto-approve"}
        | exports,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.stdout


def _command(folder: Path, *args: str, configuration: Path) -> list[str]:
    script = str(REPOSITORY / "tools" / "demo.py")
    options = ["--folder", str(folder), "--configuration", str(configuration)]
    return [sys.executable, script, *options, *args]


def _run(
    folder: Path, *args: str, configuration: Path = EXAMPLE, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(folder, *args, configuration=configuration),
        env=_environment(variables),
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


@contextmanager
def _started(
    folder: Path, *args: str, configuration: Path = EXAMPLE
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        _command(folder, *args, configuration=configuration),
        env=_environment({}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            # It takes its programs along only when it is asked politely.
            if process.poll() is None:
                process.terminate()


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, **variables}


def _example_with(folder: Path, addition: str, name: str = "addition.tf") -> Path:
    """Return a copy of the example with `addition` in a file of its own."""
    copy = folder / "configuration"
    copy.mkdir()
    for file in EXAMPLE.glob("*.tf"):
        (copy / file.name).write_text(file.read_text())
    (copy / name).write_text(addition)
    return copy


def _broken_example(folder: Path) -> Path:
    return _example_with(folder, 'resource "crusoe_storage_token" "b" {\n  colour = "red"\n}\n')


def _processes_of(folder: Path) -> list[psutil.Process]:
    """Return what runs with the demonstration's own home folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HOME") == str(folder / "home"):
                found.append(process)
        except (psutil.Error, OSError):  # gone meanwhile, or of another user
            continue
    return found
