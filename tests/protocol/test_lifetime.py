"""How a plugin process starts and ends, with a toy provider behind it."""

import os
import resource
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_provider.providerserver.lifetime import Lifetime, Parent
from support import toy_plugin
from support.plugin import EXIT_SECONDS, Plugin, dynamic, errors, value_of
from support.signals import survives_a_signal_at_any_line
from support.toy_fixtures import StartToy, create, thing


@pytest.fixture(params=["cold", "warm"])
def starts(request: pytest.FixtureRequest) -> str:
    """A process that was forked ahead lives and ends as one that Terraform has started itself."""
    if request.param == "warm" and sys.platform != "linux":
        pytest.skip("only Linux has warm starts")
    return str(request.param)


@pytest.fixture
def in_background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as executor:
        yield executor


def start_creation(
    start_toy: StartToy, executor: ThreadPoolExecutor, folder: Path, does: str
) -> tuple[Plugin, Future[Any]]:
    """Return a plugin in the middle of a creation."""
    os.mkfifo(folder / "events")
    os.mkfifo(folder / "go")
    plugin = start_toy()
    answer = executor.submit(create, plugin, does)
    assert (folder / "events").read_text() == "create\n"  # returns once the toy has told it
    return plugin, answer


def let_go(folder: Path) -> None:
    (folder / "go").write_bytes(b"")


def test_handshake(start_toy: StartToy) -> None:
    """Core protocol 1, plugin protocol 6, a socket, gRPC and a certificate."""
    plugin = start_toy()

    core, protocol, network, socket, kind, certificate = plugin.handshake
    assert (core, protocol, network, kind) == ("1", "6", "unix", "grpc")
    assert Path(socket).is_socket()
    assert certificate
    assert not certificate.endswith("=")


def test_the_socket_is_private_and_is_removed(start_toy: StartToy) -> None:
    """Only the user can enter the socket's folder, and nothing is left of it."""
    plugin = start_toy()
    folder = plugin.socket.parent

    mode = stat.S_IMODE(folder.stat().st_mode)
    code = plugin.shut_down()

    assert mode == 0o700
    assert code == 0
    assert not folder.exists()


def test_a_long_temporary_folder_is_no_obstacle(start_toy: StartToy, tmp_path: Path) -> None:
    """A socket's path has a limit of about a hundred bytes; macOS comes close to it."""
    long = tmp_path / ("x" * 100)
    long.mkdir()

    plugin = start_toy(TMPDIR=str(long))

    assert plugin.shut_down() == 0
    assert not list(long.iterdir())


def test_without_tls_no_certificate_is_sent(start_toy: StartToy) -> None:
    """TF_DISABLE_PLUGIN_TLS: Terraform sends no certificate and panics if it gets one."""
    plugin = start_toy(without=("PLUGIN_CLIENT_CERT",))

    assert plugin.handshake[5] == ""
    assert not plugin.provider.GetProviderSchema(pb.GetProviderSchema.Request()).diagnostics


def test_a_home_that_cannot_be_written_is_no_obstacle(start_toy: StartToy) -> None:
    """Nothing is cached on disk."""
    plugin = start_toy(HOME="/nonexistent")

    assert plugin.shut_down() == 0


SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]


@pytest.mark.parametrize("number", SIGNALS)
def test_signals_do_not_cut_a_call(
    start_toy: StartToy, in_background: ThreadPoolExecutor, tmp_path: Path, number: int
) -> None:
    """A creation under way ends with its state, and the process serves on until Shutdown."""
    plugin, answer = start_creation(start_toy, in_background, tmp_path, "wait")

    plugin.process.send_signal(number)
    let_go(tmp_path)
    response = answer.result(EXIT_SECONDS)

    assert not response.diagnostics
    assert value_of(response.new_state)["id"] == "1"
    assert not plugin.provider.GetMetadata(pb.GetMetadata.Request()).diagnostics
    assert plugin.shut_down() == 0
    assert not plugin.socket.parent.exists()


@pytest.mark.parametrize("how", ["StopProvider", "SIGTERM", "SIGHUP", "SIGQUIT"])
def test_a_stop_ends_waits(
    start_toy: StartToy, in_background: ThreadPoolExecutor, tmp_path: Path, how: str
) -> None:
    """A creation that only waits gives up with a diagnostic."""
    plugin, answer = start_creation(start_toy, in_background, tmp_path, "wait for stop")

    if how == "StopProvider":
        plugin.provider.StopProvider(pb.StopProvider.Request())
    else:
        plugin.process.send_signal(signal.Signals[how])
    response = answer.result(EXIT_SECONDS)

    assert [d.summary for d in errors(response)] == ["Stopped"]


def test_a_stop_lets_a_creation_finish(
    start_toy: StartToy, in_background: ThreadPoolExecutor, tmp_path: Path
) -> None:
    """StopProvider cuts nothing: the state of what was made reaches Terraform."""
    plugin, answer = start_creation(start_toy, in_background, tmp_path, "wait")

    plugin.provider.StopProvider(pb.StopProvider.Request())
    let_go(tmp_path)

    assert value_of(answer.result(EXIT_SECONDS).new_state)["id"] == "1"
    assert plugin.shut_down() == 0


def test_when_terraform_is_gone_the_creation_is_undone(
    start_toy: StartToy, in_background: ThreadPoolExecutor, tmp_path: Path
) -> None:
    """Nobody can store the new object: the object is removed, the process ends."""
    plugin, answer = start_creation(start_toy, in_background, tmp_path, "wait")

    plugin.disconnect()
    let_go(tmp_path)
    told = (tmp_path / "events").read_text()
    code = plugin.process.wait(EXIT_SECONDS)

    assert told == "undo 1\n"
    assert code == 0
    assert answer.exception(EXIT_SECONDS) is not None
    assert not plugin.socket.parent.exists()


def test_an_end_without_the_folder_of_the_socket(
    start_toy: StartToy, in_background: ThreadPoolExecutor, tmp_path: Path
) -> None:
    """Something has cleared the temporary folder meanwhile: the object is removed all the same."""
    plugin, answer = start_creation(start_toy, in_background, tmp_path, "wait")
    shutil.rmtree(plugin.socket.parent)

    plugin.disconnect()
    let_go(tmp_path)
    told = (tmp_path / "events").read_text()

    assert told == "undo 1\n"
    assert plugin.process.wait(EXIT_SECONDS) == 0
    assert answer.exception(EXIT_SECONDS) is not None


def test_an_answer_to_a_terraform_that_dies_is_undone(start_toy: StartToy, tmp_path: Path) -> None:
    """It was sent, and nobody had the time to store it."""
    plugin = start_toy()
    answer = create(plugin, "nothing special")

    plugin.disconnect()
    code = plugin.process.wait(EXIT_SECONDS)

    assert value_of(answer.new_state)["id"] == "1"
    assert (tmp_path / "events").read_text() == "create\nundo 1\n"
    assert code == 0


@pytest.mark.parametrize("does", ["nothing special", "fail between two steps"])
def test_an_update_of_a_terraform_that_dies_is_undone(
    start_toy: StartToy, tmp_path: Path, does: str
) -> None:
    """As far as it came; the resource is told what there was before."""
    plugin = start_toy()
    plugin.provider.ApplyResourceChange(
        pb.ApplyResourceChange.Request(
            type_name="toy_thing",
            prior_state=dynamic(thing(id="1", size=1)),
            planned_state=dynamic(thing(id="1", size=2, does=does)),
        )
    )

    plugin.disconnect()
    code = plugin.process.wait(EXIT_SECONDS)

    assert (tmp_path / "events").read_text() == "undo update from 1 to 2\n"
    assert code == 0


def test_an_answer_to_a_terraform_that_says_goodbye_is_not(
    start_toy: StartToy, tmp_path: Path
) -> None:
    """However soon it does: it has stored what it got."""
    plugin = start_toy()
    create(plugin, "nothing special")

    assert plugin.shut_down() == 0

    assert (tmp_path / "events").read_text() == "create\n"


def test_an_idle_plugin_ends_when_terraform_is_gone(start_toy: StartToy) -> None:
    """No call is under way: the process ends by itself."""
    plugin = start_toy()

    plugin.disconnect()

    assert plugin.process.wait(EXIT_SECONDS) == 0


def test_a_call_that_never_ends_does_not_keep_the_process(
    start_toy: StartToy, in_background: ThreadPoolExecutor, tmp_path: Path
) -> None:
    """There is an end to waiting, and nothing is left."""
    os.mkfifo(tmp_path / "events")
    os.mkfifo(tmp_path / "go")
    plugin = start_toy(TOY_LONGEST_END="4")
    answer = in_background.submit(create, plugin, "wait")
    assert (tmp_path / "events").read_text() == "create\n"

    plugin.disconnect()
    code = plugin.process.wait(EXIT_SECONDS)

    assert code == 0
    assert answer.exception(EXIT_SECONDS) is not None
    assert "The process ends with calls under way" in plugin.log()
    assert not plugin.socket.parent.exists()


def test_a_process_that_hangs_is_ended() -> None:
    """Whatever it hangs in; the log has the place."""
    program = (
        "import threading\n"
        "from crusoe_provider.providerserver.lifetime import end_within\n"
        "end_within(60)\n"
        "end_within(0.1)\n"
        "threading.Event().wait()"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=EXIT_SECONDS,
    )

    assert done.returncode == 1
    assert "Timeout" in done.stderr


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="this system has no prlimit")
def test_a_process_whose_server_has_died_ends_and_says_why(
    start_toy: StartToy, in_background: ThreadPoolExecutor, tmp_path: Path
) -> None:
    """Without room for another thread gRPC's own thread dies, and nobody would be answered."""
    os.mkfifo(tmp_path / "events")
    os.mkfifo(tmp_path / "go")
    plugin = start_toy(TOY_LONGEST_END="4")
    # The server is up once it works at a call, and every other call takes another thread.
    in_background.submit(create, plugin, "wait")
    assert (tmp_path / "events").read_text() == "create\n"
    # Enough for Python to go on, and not for the stack of a thread.
    serving = plugin.serving()
    used = serving.memory_info().vms + 2**21
    resource.prlimit(serving.pid, resource.RLIMIT_AS, (used, used))

    with pytest.raises(grpc.RpcError):
        plugin.provider.GetMetadata(pb.GetMetadata.Request(), timeout=EXIT_SECONDS)
    # Where memory is short the deadline may have to end it, with another exit code.
    plugin.process.wait(EXIT_SECONDS)

    assert "The gRPC server of this process has died" in plugin.log()
    assert not plugin.socket.parent.exists()


def test_a_diagnosis_that_fails_leaves_the_error(start_toy: StartToy) -> None:
    """It is reported as any that the provider does not know."""
    (error,) = errors(create(start_toy(), "fail to be diagnosed"))

    assert "KeyError at toy_plugin.py:" in error.detail
    assert toy_plugin.SECRET not in error.detail


@pytest.mark.parametrize(
    ("does", "summary"),
    [
        ("lack memory", "Not enough memory"),
        ("lack memory for a library", "Not enough memory"),
        ("lack files", "Not enough open files"),
    ],
)
def test_what_the_machine_lacks_is_no_defect(start_toy: StartToy, does: str, summary: str) -> None:
    """It is told as what it is."""
    response = create(start_toy(), does)

    (error,) = errors(response)
    assert error.summary == summary
    assert "defect" not in error.detail
    assert "raise the limit" in error.detail


def test_many_calls_that_wait_for_each_other(start_toy: StartToy, tmp_path: Path) -> None:
    """Sixty creations wait until a later call ends them: no pool of workers is exhausted."""
    calls = 60
    os.mkfifo(tmp_path / "events")
    plugin = start_toy()
    # Open for both ends: it stays readable while no creation has it open for writing.
    with (
        os.fdopen(os.open(tmp_path / "events", os.O_RDWR)) as events,
        ThreadPoolExecutor(calls) as executor,
    ):
        answers = [executor.submit(create, plugin, "wait for stop") for _ in range(calls)]
        begun = [events.readline() for _ in range(calls)]

        plugin.provider.StopProvider(pb.StopProvider.Request())
        summaries = [errors(answer.result(EXIT_SECONDS))[0].summary for answer in answers]

    assert begun == ["create\n"] * calls
    assert summaries == ["Stopped"] * calls


def test_started_by_hand_it_explains_itself(tmp_path: Path) -> None:
    """Without Terraform's cookie there is no handshake, and an error."""
    environment = {"PATH": os.environ["PATH"]}
    command = [sys.executable, str(toy_plugin.__file__), str(tmp_path)]

    result = subprocess.run(command, env=environment, capture_output=True, check=False)

    assert result.returncode != 0
    assert result.stdout == b""
    assert b"NotStartedByTerraformError" in result.stderr


@pytest.mark.parametrize(
    ("version", "accepted"),
    [
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
)
def test_tls_is_not_older_than_1_2(
    start_toy: StartToy, version: ssl.TLSVersion, accepted: bool
) -> None:
    """What is older has known weaknesses."""
    plugin = start_toy()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of old versions, which is the point
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = version
        context.set_ciphers("ALL:@SECLEVEL=0")

    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(plugin.socket))
        try:
            with context.wrap_socket(connection) as secured:
                negotiated = secured.version()
        except (ssl.SSLError, ConnectionError):
            negotiated = None

    assert (negotiated is not None) is accepted
    if accepted:
        assert negotiated == version.name.replace("_", ".")


def test_on_windows_it_says_what_to_use() -> None:
    """Neither the sockets nor the signals that it needs are there."""
    program = (
        "import sys; sys.platform = 'win32'\n"
        "from crusoe_provider.__main__ import main\n"
        "sys.exit(main([]))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "WSL" in done.stderr


def live_until_terraform_is_gone(signals_may_come: Callable[[], None]) -> None:
    reader, writer = os.pipe()
    lifetime = Lifetime(threading.Event(), Parent(writer))
    lifetime.handle_signals()
    signals_may_come()
    os.close(reader)
    lifetime.wait_for_end()
    os.close(writer)
    assert lifetime.stop.is_set()


def test_a_signal_may_come_at_any_moment() -> None:
    """Also in the middle of what the main thread does at the end."""
    assert survives_a_signal_at_any_line(f"{__name__}:{live_until_terraform_is_gone.__name__}", 60)
