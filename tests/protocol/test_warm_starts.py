"""Warm starts, with a toy provider: nobody notices them but by the speed, and nothing is left."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

import psutil
import pytest

from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_provider.providerserver.serve import WarmStart
from crusoe_provider.providerserver.warm_start import launcher
from crusoe_provider.providerserver.warm_start.orphans import are_few
from harness.process import still_running
from support.plugin import EXIT_SECONDS, START_SECONDS, Plugin, plugin_environment
from support.stand_in_terraform import StandIn
from support.toy_fixtures import create
from support.warm_toy import WarmToy

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has warm starts")

HANDSHAKE: Final = "1|6|unix|"
IS_ROOT: Final = os.getuid() == 0
# `make soak` has more.
LAUNCHERS: Final = int(os.environ.get("SCALE_LAUNCHERS", "40"))

UNSHARE: Final = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


def can_unshare() -> bool:
    """Say whether this system lets this user have a namespace of processes."""
    if shutil.which(UNSHARE[0]) is None:
        return False
    return subprocess.run([*UNSHARE, "true"], check=False, capture_output=True).returncode == 0


class Toys:
    """Toy plugins of one program, with a temporary folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "toys"
        self.temporary = folder / "tmp"
        self.logs = folder / "logs"
        for new in (self.folder, self.temporary, self.logs):
            new.mkdir()
        self.warm = WarmToy(folder / "program", self.folder)
        self.environment = plugin_environment(TMPDIR=str(self.temporary), TOY_LONGEST_END="4")

    def plugin(self, **more: str) -> Plugin:
        """Start a plugin whose Terraform is this process."""
        log = self.logs / str(len(list(self.logs.iterdir())))
        return Plugin(self.warm.command, self.environment | more, log)

    def terraform(self, *wrapper: str) -> StandIn:
        """Start a Terraform that can be ended."""
        return StandIn(self.warm.command, self.environment, wrapper=wrapper)

    def check_nothing_is_left(self) -> None:
        """Wait for the end of all processes; neither files nor names may be left of them."""
        left = still_running(self.warm.processes(), EXIT_SECONDS)
        assert not left
        assert list(self.temporary.iterdir()) == []
        wait_until(lambda: not self.names())

    def names(self) -> list[str]:
        """Return the names under which launchers of this program find somebody, or would."""
        status = self.warm.program.stat()
        ending = f"/{status.st_dev:x}-{status.st_ino:x}"
        rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
        # The ends of connections have the name too.
        return [row[-1] for row in rows if row[-1].endswith(ending) and row[5] == "01"]


@pytest.fixture
def toys(tmp_path: Path) -> Iterator[Toys]:
    """Toy plugins; after the test nothing may be left of them."""
    toys = Toys(tmp_path)
    yield toys
    toys.warm.end()
    toys.check_nothing_is_left()


def is_warm(plugin: Plugin) -> bool:
    """Say whether a plugin is served by another process than the one that was started."""
    return plugin.serving().pid != plugin.process.pid


def wait_until(condition: Callable[[], object]) -> None:
    """Return once something is so."""
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# -- Terraform ends -------------------------------------------------------------------------------


def kill(terraform: StandIn) -> None:
    terraform.process.kill()


def kill_the_group(terraform: StandIn) -> None:
    os.killpg(terraform.process.pid, signal.SIGKILL)


def end_twice(terraform: StandIn) -> None:
    os.killpg(terraform.process.pid, signal.SIGINT)
    os.killpg(terraform.process.pid, signal.SIGTERM)
    kill(terraform)


@pytest.mark.parametrize("end", [kill, kill_the_group, end_twice])
@pytest.mark.parametrize(
    "when", ["while the first starts", "while it loads", "when it is ready", "while one serves"]
)
def test_terraform_ends(toys: Toys, when: str, end: Callable[[StandIn], None]) -> None:
    """At whatever moment, in whatever way: everything ends, and at once."""
    with toys.terraform() as terraform:
        if when == "while the first starts":
            terraform.begin()
            wait_until(toys.warm.processes)
        else:
            terraform.start()
            terraform.end_plugins()
        if when in {"when it is ready", "while one serves"}:
            toys.warm.found_by(terraform.start)
            terraform.end_plugins()
        if when == "while one serves":
            ((launcher, line),) = terraform.start()
            assert line.startswith(HANDSHAKE)
            assert launcher.ppid() == terraform.process.pid
        ended = time.monotonic()
        end(terraform)
        if when == "while the first starts" and end is kill_the_group:
            # Nobody removes the folder of a first process that is killed, as ever.
            still_running(toys.warm.processes(), EXIT_SECONDS)
            for folder in toys.temporary.iterdir():
                shutil.rmtree(folder)
        toys.check_nothing_is_left()

    assert time.monotonic() - ended < EXIT_SECONDS / 2


def test_two_terraforms_have_nothing_in_common(toys: Toys) -> None:
    """Each has a nursery of its own, and the end of one is not that of the other."""
    with toys.terraform() as one, toys.terraform() as other:
        first = toys.warm.found_by(one.start)
        wait_until(lambda: other.start() and set(toys.warm.nurseries()) - {first})
        assert len(toys.names()) >= 2

        kill(one)
        wait_until(lambda: len(toys.warm.nurseries()) == 1)

        ((launcher, line),) = other.start()
        assert line.startswith(HANDSHAKE)
        assert launcher.is_running()


def test_many_at_once(toys: Toys) -> None:
    """As with many provider blocks: all are served, and nearly all warm."""
    with toys.terraform() as terraform:
        toys.warm.found_by(terraform.start)

        started = terraform.start(LAUNCHERS)

        assert all(line.startswith(HANDSHAKE) for _, line in started)
        assert len({line.split("|")[3] for _, line in started}) == LAUNCHERS
        # On a busy machine some may have lost patience.
        assert len([p for p, _ in started if "grpc" not in mapped_files(p)]) > LAUNCHERS / 2
        terraform.end_plugins()
        assert len([p for p, _ in started if p.is_running()]) == 0
        (nursery,) = toys.warm.nurseries()
        wait_until(lambda: len(nursery.children()) == 1)


# -- The nursery fails ----------------------------------------------------------------------------


def test_a_nursery_that_is_killed(toys: Toys) -> None:
    """Whom it has given birth to serves on; the next one starts cold, and founds another."""
    nursery = toys.warm.found(toys.environment)
    with toys.plugin() as plugin:
        assert is_warm(plugin)
        nursery.kill()
        assert not plugin.provider.GetMetadata(pb.GetMetadata.Request()).diagnostics
        assert plugin.shut_down() == 0
    with toys.plugin() as plugin:
        assert not is_warm(plugin)
    toys.warm.found(toys.environment)


def test_a_nursery_that_is_frozen(toys: Toys) -> None:
    """The next one starts cold; and when Terraform ends so does the nursery."""
    with toys.terraform() as terraform:
        toys.warm.found_by(terraform.start)
        (nursery,) = toys.warm.nurseries()
        nursery.suspend()

        ((launcher, line),) = terraform.start()

        assert line.startswith(HANDSHAKE)
        assert "grpc" in mapped_files(launcher)


def test_a_nursery_that_is_frozen_while_its_child_serves(toys: Toys) -> None:
    """The child ends it, as nobody else would."""
    with toys.terraform() as terraform:
        toys.warm.found_by(terraform.start)
        (nursery,) = toys.warm.nurseries()
        terraform.start()
        nursery.suspend()


# Runs a command with SIGCHLD ignored, so the system clears away the command's children itself.
IGNORING: Final = """
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_a_program_that_ignores_the_end_of_its_children(toys: Toys) -> None:
    """What serves ignores it too, as if Terraform had started it; the nursery buries its dead."""
    with toys.terraform(sys.executable, "-I", "-c", IGNORING) as terraform:
        toys.warm.found_by(terraform.start)
        terraform.end_plugins()
        (nursery,) = toys.warm.nurseries()

        ((launcher, _),) = terraform.start()
        assert "grpc" not in mapped_files(launcher)
        wait_until(lambda: len(nursery.children()) == 2)
        processes = (launcher, *nursery.children())
        assert [ignores(process, signal.SIGCHLD) for process in processes] == [True] * 3
        terraform.end_plugins()
        wait_until(lambda: len(nursery.children()) == 1)

        ((launcher, _),) = terraform.start()
        assert "grpc" not in mapped_files(launcher)
        assert toys.warm.nurseries() == [nursery]


def ignores(process: psutil.Process, number: signal.Signals) -> bool:
    """Say whether a process ignores a signal."""
    status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    (ignored,) = (line for line in status if line.startswith("SigIgn:"))
    return bool(int(ignored.split()[1], 16) >> number - 1 & 1)


def mapped_files(process: psutil.Process) -> str:
    """Return the files that a process has mapped, such as libraries."""
    return Path(f"/proc/{process.pid}/maps").read_text()


def test_a_full_queue(toys: Toys) -> None:
    """A launcher that would have to wait for a place in the queue starts cold."""
    name = name_for(toys)
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as other:
        listener.bind(name)
        listener.listen(0)
        other.connect(name)

        with toys.plugin() as plugin:
            assert not is_warm(plugin)


def test_one_that_never_answers(toys: Toys) -> None:
    """A launcher waits for it no longer than a moment."""
    with planted(toys, "", LIKE_A_NURSERY) as got:
        with toys.plugin() as plugin:
            assert not is_warm(plugin)
        assert got.readline() == "nothing\n"


def name_for(toys: Toys) -> bytes:
    """Return the name of the nursery of this process' plugins."""
    started = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    status = toys.warm.program.stat()
    return (
        f"\0tf-plugin/{os.geteuid()}/{os.getpid()}-{started}/{status.st_dev:x}-{status.st_ino:x}"
    ).encode()


# Does something, takes a name, answers whoever connects with a line, and prints what it is sent.
PLANTED: Final = """
import ctypes, os, socket, sys

before, name, line = sys.argv[1:]
exec(before)
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(b"\\0" + name.encode())
    listener.listen()
    print("ready", flush=True)
    with listener.accept()[0] as connection:
        got = b""
        try:
            connection.sendall(line.encode())
            got = connection.recv(100)
        except OSError:  # it has been left alone
            pass
        print(got.decode() or "nothing", flush=True)
"""
PLANTED_LINE: Final = f"{HANDSHAKE}/planted|grpc|\n"
LIKE_A_NURSERY: Final = "os.setsid()"


@contextmanager
def planted(toys: Toys, line: str, before: str, wrapper: Sequence[str] = ()) -> Iterator[IO[str]]:
    """Have a process of this user take the name of the nursery; yield what it prints.

    Args:
        toys: The plugins that look for a nursery.
        line: What it answers with.
        before: What it does before.
        wrapper: A command that runs it.
    """
    name = name_for(toys)[1:].decode()
    command = [*wrapper, sys.executable, "-I", "-c", PLANTED, before, name, line]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == "ready\n"
            yield process.stdout
        finally:
            process.kill()


def first_line(toys: Toys) -> str:
    """Start a plugin, end it at once, and return its handshake line."""
    with subprocess.Popen(
        toys.warm.command, env=toys.environment, stdout=subprocess.PIPE, text=True
    ) as plugin:
        assert plugin.stdout
        return plugin.stdout.readline()


def test_a_process_of_this_user_that_is_like_a_nursery_is_believed(toys: Toys) -> None:
    """It could as well change the plugin. So this is what those that follow differ from."""
    with planted(toys, PLANTED_LINE, LIKE_A_NURSERY):
        assert first_line(toys) == PLANTED_LINE


@pytest.mark.parametrize(
    ("before", "wrapper"),
    [
        pytest.param(
            LIKE_A_NURSERY,
            UNSHARE,
            marks=pytest.mark.skipif(not can_unshare(), reason="no namespaces are to be had"),
            id="other namespaces",
        ),
        pytest.param(
            f"{LIKE_A_NURSERY}; os.chroot('/proc')",
            (),
            marks=pytest.mark.skipif(not IS_ROOT, reason="only root can have another root"),
            id="another root",
        ),
        pytest.param(
            f"{LIKE_A_NURSERY}; ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)", (), id="fewer rights"
        ),
        # As one that has got the number of who listens, and has ended.
        pytest.param("", (), id="no session of its own"),
    ],
)
def test_a_name_that_was_taken_in_a_sandbox(
    toys: Toys, before: str, wrapper: Sequence[str]
) -> None:
    """Names know no sandbox but that of the network; nothing is taken from there or sent there."""
    with planted(toys, PLANTED_LINE, before, wrapper) as got:
        line = first_line(toys)

        assert line.startswith(HANDSHAKE)
        assert line != PLANTED_LINE
        assert got.readline() == "nothing\n"


@pytest.mark.skipif(not IS_ROOT, reason="only root can be another user")
def test_a_socket_that_another_user_has_planted(toys: Toys) -> None:
    """Nothing is taken from it, and nothing sent to it."""
    name = name_for(toys)
    ready, told = os.pipe()
    sent, received = os.pipe()
    pid = os.fork()
    if pid == 0:
        with suppress(BaseException):
            os.setuid(65534)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(name)
            listener.listen()
            os.write(told, b".")
            connection = listener.accept()[0]
            got = b""
            with suppress(OSError):  # it has been left alone
                connection.sendall(b"1|6|unix|/tmp/planted|grpc|\n")
                got = connection.recv(100)
            os.write(received, got or b"nothing")
        os._exit(0)
    os.read(ready, 1)
    try:
        with toys.plugin() as plugin:
            assert not is_warm(plugin)
            assert "planted" not in plugin.handshake[3]
        assert os.read(sent, 100) == b"nothing"
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        for file in (ready, told, sent, received):
            os.close(file)


@pytest.mark.skipif(not IS_ROOT, reason="only root can be another user")
def test_another_user_gets_nothing(toys: Toys) -> None:
    """Not a byte; and the child that is ready stays so."""
    toys.warm.found(toys.environment)
    name = name_for(toys)
    pid = os.fork()
    if pid == 0:
        code = 1
        with suppress(BaseException):
            os.setuid(65534)
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(EXIT_SECONDS)
                connection.connect(name)
                code = 0 if connection.recv(100) == b"" else 2
        os._exit(code)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    with toys.plugin() as plugin:
        assert is_warm(plugin)


# -- Another start than the first -----------------------------------------------------------------


def in_another_folder(toys: Toys, tmp_path: Path) -> Plugin:
    command = ["sh", "-c", f'cd "{tmp_path}" && exec "$0" "$@"', *toys.warm.command]
    return Plugin(command, toys.environment, toys.logs / "other")


def with_another_umask(toys: Toys, tmp_path: Path) -> Plugin:
    del tmp_path
    command = ["sh", "-c", 'umask 0123; exec "$0" "$@"', *toys.warm.command]
    return Plugin(command, toys.environment, toys.logs / "other")


def with_other_limits(toys: Toys, tmp_path: Path) -> Plugin:
    del tmp_path
    command = ["sh", "-c", 'ulimit -n 200; exec "$0" "$@"', *toys.warm.command]
    return Plugin(command, toys.environment, toys.logs / "other")


def with_other_arguments(toys: Toys, tmp_path: Path) -> Plugin:
    del tmp_path
    command = [*toys.warm.command, "more"]
    return Plugin(command, toys.environment, toys.logs / "other")


def with_another_variable(toys: Toys, tmp_path: Path) -> Plugin:
    del tmp_path
    return toys.plugin(ONE="more")


def without_tls(toys: Toys, tmp_path: Path) -> Plugin:
    del tmp_path
    environment = {k: v for k, v in toys.environment.items() if k != "PLUGIN_CLIENT_CERT"}
    return Plugin(toys.warm.command, environment, toys.logs / "other")


def after_an_update(toys: Toys, tmp_path: Path) -> Plugin:
    del tmp_path
    os.utime(toys.warm.program)
    return toys.plugin()


OTHERS: Final = (
    in_another_folder,
    with_another_umask,
    with_other_limits,
    with_other_arguments,
    with_another_variable,
    without_tls,
    after_an_update,
)


@pytest.mark.parametrize("start", OTHERS)
def test_what_is_not_like_the_first_starts_cold(
    toys: Toys, tmp_path: Path, start: Callable[[Toys, Path], Plugin]
) -> None:
    """A process that was forked ahead would not know what this one knows."""
    toys.warm.found(toys.environment)

    with start(toys, tmp_path) as plugin:
        assert not is_warm(plugin)


def test_an_update_of_what_only_the_nursery_has_loaded_counts_too(
    toys: Toys, tmp_path: Path
) -> None:
    """The child that was ready before loads the new one; those to come would have the old one."""
    later = toys.warm.program.parent / "later" / "__init__.py"
    later.parent.mkdir()
    later.write_text(f"open({str(tmp_path / 'loaded')!r}, 'w').close()")
    toys.environment["TOY_LATER"] = "1"
    nursery = toys.warm.found(toys.environment)
    wait_until((tmp_path / "loaded").exists)
    # It loads without ever waiting, so it is done with all of it.
    wait_until(lambda: nursery.status() == psutil.STATUS_SLEEPING)

    os.utime(later)

    with toys.plugin() as plugin:
        assert is_warm(plugin)
    with toys.plugin() as plugin:
        assert not is_warm(plugin)


def test_what_differs_from_start_to_start_is_taken_over(toys: Toys) -> None:
    """Terraform gives each a certificate, and names the versions of the protocol in any order."""
    toys.warm.found(toys.environment)

    more = {"PLUGIN_CLIENT_CERT": "another", "PLUGIN_PROTOCOL_VERSIONS": "6,5"}
    with toys.plugin(**more) as plugin:
        assert is_warm(plugin)


def test_after_some_time_without_a_start_the_nursery_ends(toys: Toys) -> None:
    """As with a Terraform that is a library, and lives for hours; it does not touch who serves."""
    toys.environment["TOY_IDLE_SECONDS"] = "1"
    toys.warm.found(toys.environment)
    with toys.plugin() as plugin:
        assert is_warm(plugin)
        wait_until(lambda: not toys.names())
        assert not plugin.provider.GetMetadata(pb.GetMetadata.Request()).diagnostics
        assert plugin.shut_down() == 0
    toys.check_nothing_is_left()

    with toys.plugin() as plugin:
        assert not is_warm(plugin)
    toys.warm.found(toys.environment)


def test_a_nursery_waits_until_a_plan_is_approved() -> None:
    """Nobody asks for a process while somebody reads, and the apply is to start warm."""
    with socket.socket(socket.AF_UNIX) as bound:
        assert WarmStart(bound, lambda: None).idle_seconds >= 120


def test_who_serves_may_do_so_for_as_long_as_its_launcher_is_there(toys: Toys) -> None:
    """The nursery sees the end of the launcher, and only from then on counts the seconds."""
    nursery = toys.warm.found(toys.environment)

    with toys.plugin() as plugin:
        assert is_warm(plugin)
        wait_until(lambda: len(nursery.children()) == 2)
        assert plugin.process.pid in watched_by(nursery)


def watched_by(process: psutil.Process) -> set[int]:
    """Return the processes whose end a process waits for."""
    infos = [file.read_text() for file in Path(f"/proc/{process.pid}/fdinfo").iterdir()]
    lines = [line.split() for info in infos for line in info.splitlines()]
    return {int(line[1]) for line in lines if line[0] == "Pid:"}


# -- The launcher ends ----------------------------------------------------------------------------


def test_a_launcher_that_is_killed_while_something_is_made(toys: Toys) -> None:
    """What is made is undone, as when Terraform is killed; and the child ends."""
    os.mkfifo(toys.folder / "events")
    os.mkfifo(toys.folder / "go")
    toys.warm.found(toys.environment)
    with ThreadPoolExecutor() as executor, toys.plugin() as plugin:
        serving = plugin.serving()
        answer = executor.submit(create, plugin, "wait")
        assert (toys.folder / "events").read_text() == "create\n"

        plugin.process.kill()
        (toys.folder / "go").write_bytes(b"")

        assert (toys.folder / "events").read_text() == "undo 1\n"
        answer.exception(EXIT_SECONDS)
        assert still_running([serving], EXIT_SECONDS) == []


def test_a_child_that_hangs_does_not_keep_terraform(toys: Toys) -> None:
    """The pipes that Terraform waits for are its launcher's; and the nursery ends it in the end."""
    toys.warm.found(toys.environment)
    with toys.plugin() as plugin:
        serving = plugin.serving()
        serving.suspend()

        plugin.process.kill()

        assert plugin.process.stdout
        assert plugin.process.stdout.read() == b""
        assert still_running([serving], 2 * EXIT_SECONDS) == []
        # Nobody is left to remove the folder of a process that was killed, as ever.
        shutil.rmtree(plugin.socket.parent)


def test_a_child_that_dies_is_told_by_the_exit_code(toys: Toys) -> None:
    """Terraform notices it as it notices the death of a plugin."""
    toys.warm.found(toys.environment)
    with toys.plugin() as plugin:
        plugin.serving().kill()

        assert plugin.process.wait(EXIT_SECONDS) == 1
        shutil.rmtree(plugin.socket.parent)


def test_a_line_that_is_logged_at_the_very_end_is_no_failure() -> None:
    """By a thread that has answered the last call, while the process is about to end."""
    child, launchers = socket.socketpair()
    program = f"""if True:
        import _socket
        from {launcher.__name__} import go_between
        go_between(_socket.socket(fileno={launchers.fileno()}), b"handshake\\n", b"")
    """
    with (
        child,
        subprocess.Popen(
            [sys.executable, "-c", program],
            pass_fds=[launchers.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        launchers.close()
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"handshake\n"
        child.sendall(b"a call\n" + launcher.ENDED)
        assert process.stderr.readline() == b"a call\n"
        child.sendall(b"the last call\n")
        child.close()

        assert process.stderr.read() == b"the last call\n"
        assert process.wait(EXIT_SECONDS) == 0


# -- Small machines, containers -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "value"),
    [(resource.RLIMIT_NOFILE, 24), (resource.RLIMIT_NOFILE, 40), (resource.RLIMIT_AS, 2**29)],
)
def test_a_small_machine(toys: Toys, limit: int, value: int) -> None:
    """What is short there makes starts cold at most."""
    with toys.terraform() as terraform:
        resource.prlimit(terraform.process.pid, limit, (value, value))
        for _ in range(3):
            (line,) = terraform.lines()
            assert line.startswith(HANDSHAKE)
        terraform.end_plugins()


@pytest.mark.skipif(not can_unshare(), reason="no namespace of processes is to be had")
def test_terraform_is_process_1(toys: Toys) -> None:
    """It inherits the nursery, which ends with it all the same."""
    with toys.terraform(*UNSHARE) as terraform:
        toys.warm.found_by(terraform.lines)
        (line,) = terraform.lines()
        assert line.startswith(HANDSHAKE)
        terraform.end_plugins()
    toys.check_nothing_is_left()


# Clears no orphans away: neither those that look like nurseries which have just ended, nor what the
# command leaves, which it runs for each line.
CARELESS: Final = """
import os, subprocess, sys
nothing = [sys.executable, "-ISc", ""]  # of the name that the plugins of these tests have
dead = [subprocess.Popen(nothing, start_new_session=True) for _ in range(15)]
for process in dead:
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
for _ in sys.stdin:
    subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL)
    print("done", flush=True)
"""
# A Terraform that starts one plugin.
BRIEF: Final = """
import subprocess, sys
with subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE) as plugin:
    plugin.stdout.readline()
"""


# The same, and it inherits the orphans below it in place of process 1; not by the thread whose
# children the others are.
CARELESS_SUBREAPER: Final = f"""
import ctypes, threading
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
threading.Thread(target=exec, args=({CARELESS!r}, {{}})).start()
"""


@pytest.mark.parametrize(
    ("wrapper", "program"),
    [
        pytest.param(
            UNSHARE,
            CARELESS,
            marks=pytest.mark.skipif(not can_unshare(), reason="no namespace is to be had"),
            id="process 1",
        ),
        pytest.param((), CARELESS_SUBREAPER, id="a subreaper"),
    ],
)
def test_one_that_clears_no_orphans_away(toys: Toys, wrapper: Sequence[str], program: str) -> None:
    """Some programs that containers begin with, or jobs; after some commands starts are cold."""
    careless = [sys.executable, "-I", "-c", program]
    # Terraform's parent is another one, as often: a shell.
    brief = [sys.executable, "-I", "-c", BRIEF, *toys.warm.command]
    with subprocess.Popen(
        [*wrapper, *careless, "sh", "-c", '"$@"; true', "sh", *brief],
        env=toys.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        dead: list[psutil.Process] = []
        for _ in range(4):
            process.stdin.write(b"\n")
            process.stdin.flush()
            process.stdout.readline()
            assert still_running(toys.warm.processes(), EXIT_SECONDS) == []
            careless_one = psutil.Process(process.pid)
            if wrapper:
                (careless_one,) = careless_one.children()
            dead = [p for p in careless_one.children() if p.status() == psutil.STATUS_ZOMBIE]
        process.stdin.close()

    assert len(dead) == 17


def test_what_else_has_led_a_session_is_no_dead_nursery(toys: Toys) -> None:
    """What is above Terraform may start other programs, and wait for none of them."""
    program = CARELESS_SUBREAPER.replace('sys.executable, "-ISc", ""', '"sleep", "0"')
    assert program != CARELESS_SUBREAPER
    careless = [sys.executable, "-I", "-c", program.replace("15", "40")]
    brief = [sys.executable, "-I", "-c", BRIEF, *toys.warm.command]
    with subprocess.Popen(
        [*careless, "sh", "-c", '"$@"; true', "sh", *brief],
        env=toys.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.stdout.readline()
        names = [p.name() for p in psutil.Process(process.pid).children() if p.name() != "sleep"]
        process.stdin.close()

    assert len(names) == 1  # the nursery of the command


@pytest.mark.parametrize(
    ("ages", "few"),
    [
        ([], True),
        # Process 1 looks each second, and there are many short commands.
        ([0.5] * 16, True),
        ([0.5] * 17, False),
        # Two long ones have ended at the same time.
        ([3600.0, 60.0, *[0.5] * 14], True),
        # They came one after the other, and stay.
        ([90.0, 60.0, 30.0], False),
    ],
)
def test_how_many_dead_nurseries_are_few(ages: list[float], few: bool) -> None:
    """Some process 1 clears orphans away at once, some now and then, some never."""
    assert are_few(ages) is few
