"""The simulator as a program, and what it keeps from one run to the next."""

import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from crusoe_simulator.dialects import NAMES
from crusoe_simulator.server import Simulator
from crusoe_simulator.state import Cloud
from support.signed_requests import send

COMMAND = [sys.executable, "-m", "crusoe_simulator"]
# A fraction of how long any hold, delay or long poll may last.
PROMPTLY = 10.0


@contextmanager
def running(*options: str) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline()


@contextmanager
def kill_after(process: "subprocess.Popen[str]", seconds: float) -> Iterator[None]:
    """Kill a process that hangs, so that whoever reads from it goes on."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_when_it_is_ready_and_ends_on_a_signal(number: signal.Signals) -> None:
    with running() as process:
        ready = json.loads(first_line(process))

        process.send_signal(number)

        assert process.wait(PROMPTLY) == 0
    assert set(ready) == {"endpoint", "access_key_id", "secret_key", "control"}


def test_with_s3_it_says_where_that_is() -> None:
    """And serves it: a request without a signature is refused in the words of S3."""
    with running("--s3") as process:
        ready = json.loads(first_line(process))

        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(ready["s3_endpoint"])  # noqa: S310 - loopback

        with refused.value as error:
            assert "<Code>AccessDenied</Code>" in error.read().decode()


def test_it_listens_on_loopback_only() -> None:
    with running() as process:
        ready = json.loads(first_line(process))
        connections = psutil.Process(process.pid).net_connections(kind="inet")

    listening = [c.laddr for c in connections if c.status == psutil.CONN_LISTEN]
    assert [(ip, port) for ip, port in listening] == [
        ("127.0.0.1", urlsplit(ready["endpoint"]).port)
    ]


def exports(process: "subprocess.Popen[str]", number: int) -> dict[str, str]:
    """Return what so many lines for a shell set."""
    lines = [shlex.split(first_line(process)) for _ in range(number)]
    assert [words[0] for words in lines] == ["export"] * number
    return dict(words[1].split("=", 1) for words in lines)


def test_it_prints_exports_for_a_shell() -> None:
    """With all that Terraform, an S3 client and the commands for keys need."""
    with running("--print-exports", "--s3") as process:
        values = exports(process, 6)

    assert list(values) == [
        "CRUSOE_API_ENDPOINT",
        "CRUSOE_ACCESS_KEY_ID",
        "CRUSOE_SECRET_KEY",
        "CRUSOE_SIMULATOR_CONTROL",
        "AWS_ENDPOINT_URL_S3",
        "AWS_REGION",
    ]
    urls = [value for name, value in values.items() if name.endswith(("ENDPOINT", "CONTROL", "S3"))]
    assert [urlsplit(url).hostname for url in urls] == ["127.0.0.1"] * 3


def test_without_s3_there_are_no_exports_for_it() -> None:
    with running("--print-exports") as process:
        values = exports(process, 4)

        process.terminate()

        assert first_line(process) == ""
    assert "CRUSOE_SIMULATOR_CONTROL" in values


@pytest.mark.parametrize("missing", ["cheroot", "werkzeug", "moto"])
def test_without_the_extra_it_says_what_to_install(missing: str) -> None:
    """In one line. What is missing may be needed for `--s3` only."""
    program = (
        f"import runpy, sys; sys.modules[{missing!r}] = None; "
        "sys.argv[1:] = ['--s3']; runpy.run_module('crusoe_simulator', run_name='__main__')"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROMPTLY,
    )

    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert "pip install 'terraform-provider-crusoe[simulator]'" in line


def test_it_explains_itself() -> None:
    """The options, every dialect, and every path of the control interface."""
    shown = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True).stdout

    assert "--list-scope" in shown
    assert "POST   /_simulator/clock" in shown
    assert all(f"    {name} " in shown for name in NAMES)


def test_it_speaks_dialects() -> None:
    """Separated by commas, or each with an option of its own."""
    options = ("--dialect", "items-null,create-201", "--dialect", "delete-202")
    with running(*options) as process:
        ready = json.loads(first_line(process))
        with urllib.request.urlopen(f"{ready['control']}/dialects") as answer:  # noqa: S310 - loopback
            names = json.load(answer)["names"]

    assert names == ["items-null", "create-201", "delete-202"]


def test_a_dialect_that_there_is_not_is_a_mistake() -> None:
    ended = subprocess.run(
        [*COMMAND, "--dialect", "klingon"], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 2
    assert ended.stderr.endswith("error: no such dialect: klingon\n")


def test_a_second_run_goes_on_where_the_first_has_ended(tmp_path: Path) -> None:
    """With the same credentials, which is what makes a state file of Terraform go on too."""
    file = str(tmp_path / "state.json")
    runs: list[dict[str, Any]] = []
    for _ in range(2):
        with running("--state", file, "--user", "dev@x") as process:
            runs.append(json.loads(first_line(process)))
            process.terminate()
            process.wait(PROMPTLY)

    first, second = runs
    assert first["access_key_id"] == second["access_key_id"]
    assert first["secret_key"] == second["secret_key"]


def test_keys_survive_a_restart_of_the_server(tmp_path: Path) -> None:
    """Created and deleted ones, as the API shows them."""
    file = tmp_path / "state.json"
    with Simulator(file=file) as before:
        organization = before.cloud.add_organization("acme")
        user = before.cloud.add_user("dev@x", organization)
        path = f"/organizations/{organization.id}/storage/s3/keys"
        made = [send(before, user, "POST", path, {"alias": a}).document for a in ("a", "b")]
        send(before, user, "DELETE", f"{path}/{made[0]['access_key_id']}")
        listed = send(before, user, "GET", path).document

    with Simulator(file=file) as after:
        assert send(after, user, "GET", path).document == listed
    assert [item["alias"] for item in listed["items"]] == ["b"]


def test_the_state_is_in_one_private_file(tmp_path: Path) -> None:
    """It holds secrets, so it is private whatever the umask, and no other file is left behind."""
    file = tmp_path / "state.json"
    mask = os.umask(0)
    try:
        first = Cloud(file=file)
        user = first.add_user("dev@x", first.add_organization("acme"))
        key = first.add_key(user, alias="kept")
    finally:
        os.umask(mask)

    second = Cloud(file=file)

    assert (second.keys(), second.users) == ([key], [user])
    assert second.organizations == first.organizations
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


# Two threads that never wait make the main one wait for the interpreter between any two steps.
BUSY_SIMULATOR = """
import sys, threading
from crusoe_simulator import serving

busy = []
sys.setswitchinterval(0.0005)

def work():
    while True:
        sum(range(1000))

def ready(_text):
    while len(busy) < 2:
        busy.append(threading.Thread(target=work, daemon=True))
        busy[-1].start()
    print("ready", flush=True)

for _ in range(ROUNDS):
    serving.main([], say=ready)
"""


def test_no_signal_is_lost_however_busy_it_is() -> None:
    """A handler may run just before its thread begins to wait, which then would not end."""
    rounds = 20
    program = BUSY_SIMULATOR.replace("ROUNDS", str(rounds))
    with (
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process,
        kill_after(process, 40),
    ):
        for number in range(rounds):
            assert first_line(process) == "ready\n"
            # At another moment each time, and with no processor left idle.
            until = time.perf_counter() + number % 10 * 0.001
            while time.perf_counter() < until:
                pass
            process.terminate()
        code = process.wait()

    assert code == 0
