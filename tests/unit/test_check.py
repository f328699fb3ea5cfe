"""What `check` says of credentials, of the API, and of what the caller has there."""

import json
import logging
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import certifi
import pytest

from crusoe_provider.api import tls
from crusoe_provider.api.settings import Settings
from crusoe_provider.cli import check as check_module
from crusoe_provider.cli import report
from crusoe_provider.cli.api_check import Limits, api_lines
from crusoe_provider.cli.check import Options, check
from crusoe_provider.cli.command_line import run
from crusoe_provider.cli.report import Line, Status
from crusoe_provider.cli.terraform_check import terraform_lines
from crusoe_provider.cli.token_lines import Quota
from crusoe_provider.provider.configuration import resolve
from crusoe_provider.provider.provider_block import ProviderBlock
from crusoe_simulator.faults import Answer, Fault
from support.hostile_server import hostile_server
from support.profiles import add_users, write_file
from support.simulator_fixtures import Crusoe
from support.tls_servers import tls_server

Capture = pytest.CaptureFixture[str]
REPOSITORY = Path(__file__).parents[2]
SECRET = "c2VjcmV0LW9mLXRoZS10ZXN0cw"
# Where no good answer comes anyway. One that does may take longer on a busy machine.
QUICK = Limits(request=timedelta(seconds=1), all=3.0)
HTML = Answer(200, "<html>Please log in</html>", "text/html")
SOON = (datetime.now(UTC) + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")


def settings_of(environ: Mapping[str, str], home: Path) -> Settings:
    return resolve(ProviderBlock(), environ=environ, home=home)


def lines_of(settings: Settings, **more: Any) -> list[Line]:
    quota = more.pop("quota", Quota(2))
    return list(api_lines(settings, quota=quota, limits=more.pop("limits", Limits()), **more))


def by_name(lines: list[Line]) -> dict[str, Line]:
    assert len({line.name for line in lines}) == len(lines)
    return {line.name: line for line in lines}


@pytest.fixture
def settings(crusoe: Crusoe, tmp_path: Path) -> Settings:
    return settings_of(crusoe.variables(), tmp_path)


# -- What is well ----------------------------------------------------------------------------------


def test_all_is_well(crusoe: Crusoe, settings: Settings) -> None:
    """Each line says what was found, and nothing but GETs was sent."""
    crusoe.simulator.cloud.add_key(crusoe.user, alias="ci")

    found = by_name(lines_of(settings))

    assert {line.status for line in found.values()} == {Status.OK}, found
    assert list(found) == [
        *("connection", "clock", "caller", "organizations", "tokens", "expiry", "answers")
    ]
    assert found["tokens"].message.startswith("1 of 2 used in ")
    assert crusoe.user.email in found["caller"].message
    assert crusoe.organization.id in found["organizations"].message
    requests = crusoe.simulator.api.requests.all()
    assert [(r.method, r.operation) for r in requests] == [
        ("GET", "identity"),
        ("GET", "organizations"),
        ("GET", "list"),
    ]


def test_two_of_two_is_no_problem(crusoe: Crusoe, settings: Settings) -> None:
    """A rotating token has both slots by right."""
    for _ in range(2):
        crusoe.simulator.cloud.add_key(crusoe.user)

    tokens = by_name(lines_of(settings))["tokens"]

    assert tokens.status is Status.OK
    assert "2 of 2" in tokens.message
    assert "no slot is free" in tokens.message
    assert (tokens.details["used"], tokens.details["limit"]) == (2, 2)


def test_tokens_of_others_are_not_counted(crusoe: Crusoe, settings: Settings) -> None:
    """They are listed in the organization."""
    other = crusoe.simulator.cloud.add_user("other@acme.example", crusoe.organization)
    crusoe.simulator.cloud.add_key(other)
    crusoe.simulator.cloud.add_key(crusoe.user)

    assert by_name(lines_of(settings))["tokens"].details["used"] == 1


def test_an_expiry_is_a_warning_and_a_problem_where_that_is_asked_for(
    crusoe: Crusoe, settings: Settings
) -> None:
    """Before an apply, which may renew the token, it must not stop the pipeline."""
    crusoe.simulator.cloud.add_key(crusoe.user, alias="ends", expire_at=SOON)

    warned = by_name(lines_of(settings))["expiry"]
    failed = by_name(lines_of(settings, quota=Quota(2, timedelta(days=4))))["expiry"]
    passed = by_name(lines_of(settings, quota=Quota(2, timedelta(days=2))))["expiry"]

    assert [warned.status, failed.status, passed.status] == [
        *(Status.WARNING, Status.PROBLEM, Status.OK)
    ]
    assert '"ends"' in warned.message
    assert warned.advice is not None
    (token,) = warned.details["tokens"]
    assert (token["alias"], token["expired"]) == ("ends", False)


def test_a_disabled_token_is_a_warning(crusoe: Crusoe, settings: Settings) -> None:
    """S3 clients are refused."""
    key = crusoe.simulator.cloud.add_key(crusoe.user)
    crusoe.simulator.cloud.change_key(key.key_uuid, status="disabled")

    tokens = by_name(lines_of(settings))["tokens"]

    assert tokens.status is Status.WARNING
    assert key.access_key_id in tokens.message


def test_several_organizations_are_each_looked_at(crusoe: Crusoe, tmp_path: Path) -> None:
    """None is chosen here; a provider block may do so, so that is no problem."""
    second = crusoe.simulator.cloud.add_organization("second")
    user = crusoe.simulator.cloud.add_user("both@acme.example", crusoe.organization, second)
    lines = lines_of(settings_of(crusoe.variables(user), tmp_path))

    found = {line.name: line for line in lines}
    counted = [line.details["organization_id"] for line in lines if line.name == "tokens"]
    assert found["organizations"].status is Status.WARNING
    assert "CRUSOE_ORGANIZATION_ID" in str(found["organizations"].advice)
    assert sorted(counted) == sorted([crusoe.organization.id, second.id])
    assert not report.has_problem(lines)


def test_an_organization_that_is_not_the_callers_is_a_problem(
    crusoe: Crusoe, tmp_path: Path
) -> None:
    """Before any plan says so."""
    chosen = "ab4a6b00-aa5f-408e-a9fb-ac6de5eb45ab"
    settings = settings_of(crusoe.variables() | {"CRUSOE_ORGANIZATION_ID": chosen}, tmp_path)

    found = by_name(lines_of(settings))

    assert found["organizations"].status is Status.PROBLEM
    assert chosen in found["organizations"].message
    assert crusoe.organization.id in found["organizations"].message


# -- What is not -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("identity", answer=Answer(401, "{}")), "HTTP 401"),
        (Fault("identity", answer=Answer(403, "{}")), "HTTP 403"),
        (Fault("identity", answer=Answer(404, "{}")), "HTTP 404"),
        (Fault("identity", answer=Answer(429, "{}")), "HTTP 429"),
        (Fault("identity", answer=Answer(500, "{}")), "HTTP 500"),
        (Fault("identity", answer=HTML), "text/html"),
        (Fault("identity", answer=Answer(302, "", headers={"Location": "/"})), "a redirect"),
        (Fault("identity", answer=Answer(200, '{"identity": {}}')), "identity.id"),
        (Fault("identity", cut="within"), "cut"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_api_answers_is_told_in_a_line(
    crusoe: Crusoe, settings: Settings, fault: Fault, expected: str
) -> None:
    """With what to do; what can still be asked is asked."""
    fault.times = None
    crusoe.simulator.faults.add(fault)

    found = by_name(lines_of(settings, limits=QUICK))

    assert found["connection"].status is Status.OK
    assert found["caller"].status is Status.PROBLEM
    assert expected in found["caller"].message
    assert found["caller"].advice
    refused = expected == "HTTP 401"
    assert (found["organizations"].status is Status.SKIPPED) == refused


@pytest.mark.parametrize("operation", ["organizations", "list"])
@pytest.mark.parametrize(
    "answer", [Answer(403, "{}"), Answer(500, "{}"), HTML], ids=lambda a: str(a.status)
)
def test_a_later_answer_is_told_by_its_own_line(
    crusoe: Crusoe, settings: Settings, operation: Any, answer: Answer
) -> None:
    """The lines before it are what they are."""
    crusoe.simulator.faults.add(Fault(operation, times=None, answer=answer))

    found = by_name(lines_of(settings, limits=QUICK))

    name = {"organizations": "organizations", "list": "tokens"}[operation]
    assert found["caller"].status is Status.OK
    assert found[name].status is Status.PROBLEM
    assert found["answers"].status is (Status.PROBLEM if answer is HTML else Status.OK)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("*", times=None, cut="before"), "cut"),
        (Fault("*", times=None, delay_before=30.0), "request timeout"),
    ],
    ids=["cut", "slow"],
)
def test_no_answer_is_a_problem_of_the_connection(
    crusoe: Crusoe, settings: Settings, fault: Fault, expected: str
) -> None:
    """The rest is not asked, and all takes a bounded time."""
    crusoe.simulator.faults.add(fault)

    began = time.monotonic()
    found = by_name(lines_of(settings, limits=QUICK))

    assert time.monotonic() - began < 10
    assert found["connection"].status is Status.PROBLEM
    assert expected in found["connection"].message
    assert {line.status for name, line in found.items() if name != "connection"} == {Status.SKIPPED}


def test_all_requests_together_take_a_bounded_time(crusoe: Crusoe, settings: Settings) -> None:
    """Even if the server asks to come back later."""
    later = Answer(429, "{}", headers={"Retry-After": "50"})
    crusoe.simulator.faults.add(Fault("*", times=None, answer=later))

    began = time.monotonic()
    found = by_name(lines_of(settings, limits=Limits(timedelta(seconds=1), 2.0)))

    assert time.monotonic() - began < 10
    assert found["caller"].status is Status.PROBLEM
    assert "within the 2 seconds" in found["caller"].message
    assert "HTTP 429" in found["caller"].message


def test_a_server_that_drips_is_a_problem(tmp_path: Path) -> None:
    """An answer that never ends is no answer."""

    def drip(connection: socket.socket, server: Any) -> None:
        while not server.over.wait(0.05):
            connection.sendall(b"H")

    with hostile_server(drip) as server:
        environ = variables(f"http://127.0.0.1:{server.port}/v1")
        found = by_name(lines_of(settings_of(environ, tmp_path), limits=QUICK))

    assert found["connection"].status is Status.PROBLEM


def variables(endpoint: str) -> dict[str, str]:
    return {
        "CRUSOE_API_ENDPOINT": endpoint,
        "CRUSOE_ACCESS_KEY_ID": "AKID",
        "CRUSOE_SECRET_KEY": SECRET,
    }


def test_a_wrong_certificate_is_a_problem(tmp_path: Path) -> None:
    """Nothing is sent there, and the advice is about authorities."""
    with tls_server(tmp_path, name="elsewhere.example") as server:
        environ = variables(f"https://127.0.0.1:{server.port}/v1")
        found = by_name(lines_of(settings_of(environ, tmp_path), limits=QUICK))

        assert server.requests == []
    assert found["connection"].status is Status.PROBLEM
    assert "TLS failed" in found["connection"].message
    assert "SSL_CERT_FILE" in str(found["connection"].advice)


def test_a_verified_certificate_is_said_and_who_vouches_for_it(tmp_path: Path) -> None:
    """What the server answers is none of Crusoe's, which is another line."""
    with tls_server(tmp_path, name="127.0.0.1") as server:
        environ = variables(f"https://127.0.0.1:{server.port}/v1")
        environ["SSL_CERT_FILE"] = str(server.certificate)
        found = by_name(lines_of(settings_of(environ, tmp_path)))

    assert found["connection"].status is Status.OK
    assert "certificate verified (authorities of SSL_CERT_FILE)" in found["connection"].message
    assert found["connection"].details["tls"].startswith("TLSv1.")
    assert found["caller"].status is Status.PROBLEM
    assert found["answers"].status is Status.PROBLEM


def test_authorities_that_are_gone_are_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installation that somebody has cleaned up too well."""
    monkeypatch.setattr(tls, "SYSTEM_FILES", ())
    monkeypatch.setattr(tls, "SYSTEM_FOLDERS", ())
    monkeypatch.setattr(certifi, "where", lambda: "/nowhere/cacert.pem")

    settings = settings_of(variables("https://api.invalid/v1"), tmp_path)
    found = by_name(lines_of(settings, limits=QUICK))

    assert found["connection"].status is Status.PROBLEM
    assert "FileNotFoundError" in found["connection"].message
    assert found["answers"].status is Status.SKIPPED


def test_a_name_that_does_not_exist_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typing error in the endpoint, or no DNS."""

    def unknown(*_arguments: Any, **_more: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    settings = settings_of(variables("https://api.invalid/v1"), tmp_path)
    found = by_name(lines_of(settings, limits=QUICK))

    assert found["connection"].status is Status.PROBLEM
    assert "Name or service not known" in found["connection"].message


def test_a_proxy_that_refuses_is_named_without_its_password(tmp_path: Path) -> None:
    """Host and port, and the variable that names it."""

    def refuse(connection: socket.socket, _server: Any) -> None:
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with hostile_server(refuse) as server:
        environ = variables("https://api.invalid/v1")
        environ["HTTPS_PROXY"] = f"http://me:hunter2@127.0.0.1:{server.port}"
        lines = lines_of(settings_of(environ, tmp_path), limits=QUICK)

    connection = by_name(lines)["connection"]
    assert connection.status is Status.PROBLEM
    assert f"127.0.0.1:{server.port} (HTTPS_PROXY)" in connection.message
    assert "hunter2" not in report.as_json(lines)


def test_a_clock_that_is_wrong_is_a_problem(crusoe: Crusoe, settings: Settings) -> None:
    """Signatures are made with the time."""
    past = "Tue, 24 Nov 2020 12:00:00 GMT"
    crusoe.simulator.faults.add(Fault("*", times=None, headers={"Date": past}))

    clock = by_name(lines_of(settings))["clock"]

    assert clock.status is Status.PROBLEM
    assert "minutes ahead of the server's" in clock.message
    assert clock.advice


def test_a_deviation_that_the_provider_copes_with_is_a_warning(
    crusoe: Crusoe, settings: Settings
) -> None:
    """Fields are named, values are not."""
    entry = {"access_key_id": "CKIA1", "status": 7, "user_id": crusoe.user.id}
    body = json.dumps({"items": [entry, {"alias": "hunter2"}]})
    crusoe.simulator.faults.add(Fault("list", times=None, answer=Answer(200, body)))

    answers = by_name(lines_of(settings))["answers"]

    assert answers.status is Status.WARNING
    assert "items[0].status is no text" in answers.message
    assert "without created_at" in str(answers.details)
    assert "hunter2" not in str(answers)


def test_tokens_whose_owner_cannot_be_told_are_a_problem(
    crusoe: Crusoe, settings: Settings
) -> None:
    """As for a plan."""
    entries = [{"access_key_id": f"CKIA{n}", "user_id": f"S3U_{n}"} for n in range(2)]
    answer = Answer(200, json.dumps({"items": entries}))
    crusoe.simulator.faults.add(Fault("list", times=None, answer=answer))

    tokens = by_name(lines_of(settings))["tokens"]

    assert tokens.status is Status.PROBLEM
    assert "S3U_0, S3U_1" in tokens.message


# -- The whole command -----------------------------------------------------------------------------


@pytest.fixture
def environment(
    crusoe: Crusoe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> pytest.MonkeyPatch:
    """The environment of a person, with the credentials of the simulator's one user."""
    for name, value in crusoe.variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def test_json_has_the_documented_form_and_no_secret(
    crusoe: Crusoe,
    environment: pytest.MonkeyPatch,  # noqa: ARG001 - it sets the variables
    capsys: Capture,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither of the caller nor of a token, and none in a log."""
    key = crusoe.simulator.cloud.add_key(crusoe.user, alias="ci", expire_at=SOON)

    with caplog.at_level(logging.DEBUG):
        code = run(["check", "--json", "--no-terraform"])

    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert code == 0
    assert (document["format_version"], document["ok"]) == (1, True)
    assert set(document) == {"format_version", "provider_version", "ok", "checks"}
    for entry in document["checks"]:
        assert set(entry) == {"name", "status", "message", "advice", "details"}
    assert next(entry["name"] for entry in document["checks"]) == "credentials"
    everything = printed.out + printed.err + caplog.text
    for secret in (crusoe.user.secret_key, key.secret_key):
        assert secret not in everything


def test_the_guide_knows_every_name_and_member(settings: Settings, tmp_path: Path) -> None:
    """They are what programs rely on."""
    guide = (REPOSITORY / "docs" / "guides" / "check.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|$", guide, re.MULTILINE))
    lines = [*terraform_lines(os.environ, tmp_path, tmp_path), *lines_of(settings)]
    lines += check(Options(terraform=False), environ={}, home=tmp_path, folder=tmp_path)

    assert len({line.name for line in lines}) == 10
    for line in lines:
        assert {name for name in line.details if f"`{name}`" not in rows[line.name]} == set()


def test_the_profile_is_the_one_that_is_named(
    crusoe: Crusoe, environment: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
) -> None:
    """It goes before the environment, as in a provider block."""
    users = add_users(crusoe, ["backups"])
    write_file(tmp_path, users, api_endpoint=crusoe.simulator.endpoint)
    environment.setenv("CRUSOE_ACCESS_KEY_ID", "another")

    code = run(["check", "--no-terraform", "--profile", "backups"])

    output = capsys.readouterr().out
    assert code == 0, output
    assert 'From profile "backups"' in output
    assert users["backups"].email in output


def test_a_problem_is_exit_code_1_and_says_what_to_do(
    environment: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Settings are all reported at once, and a secret in the wrong place is not shown."""
    environment.setenv("CRUSOE_ACCESS_KEY_ID", "hunter2 with blanks")
    environment.setenv("CRUSOE_ORGANIZATION_ID", "a/b")

    code = run(["check", "--no-terraform"])

    output = capsys.readouterr().out
    assert code == 1
    assert "problem  configuration  Invalid access key ID: " in output
    assert "problem  configuration  Invalid organization ID: " in output
    assert "→ Copy the access key ID" in output
    assert "hunter2" not in output
    assert "Traceback" not in output


def test_swapped_credentials_are_not_shown(
    crusoe: Crusoe, environment: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Who has mixed up the two has the secret in the place of the ID."""
    environment.setenv("CRUSOE_ACCESS_KEY_ID", crusoe.user.secret_key)

    code = run(["check", "--no-terraform", "--json"])

    assert code == 1
    assert crusoe.user.secret_key not in capsys.readouterr().out


def test_profiles_without_credentials_for_the_block_are_listed(
    crusoe: Crusoe, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A configuration in which every resource names one needs no others."""
    write_file(tmp_path, add_users(crusoe, ["backups"]))
    for name in crusoe.variables():
        environment.delenv(name)

    (line,) = check(Options(terraform=False), environ={}, home=tmp_path, folder=tmp_path)

    assert line.status is Status.PROBLEM
    assert "--profile NAME, one of backups" in str(line.advice)


def test_a_file_that_others_can_read_is_a_warning(
    crusoe: Crusoe, environment: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
) -> None:
    """As in a plan."""
    write_file(tmp_path, add_users(crusoe, ["default"]))
    (tmp_path / ".crusoe" / "config").chmod(0o644)
    del environment

    code = run(["check", "--no-terraform"])

    output = capsys.readouterr().out
    assert code == 0
    assert "warning  configuration  Configuration file can be read by others: " in output
    assert "→ Run: chmod 600" in output


def test_no_duration_is_a_mistake_of_the_command_line(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as exited:
        run(["check", "--expires-within", "soon"])

    assert exited.value.code == 2
    assert "a duration is a number with a unit" in capsys.readouterr().err


def test_a_terminal_may_know_few_characters(environment: pytest.MonkeyPatch) -> None:
    """The arrow, or a name, is no reason to fail."""
    environment.setenv("CRUSOE_PROFILE", "Überall")
    done = subprocess.run(
        [sys.executable, "-m", "crusoe_provider", "check", "--no-terraform"],
        env=dict(os.environ) | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (1, b"")
    assert b"Unknown profile" in done.stdout
    assert b"\\u2192 Correct the name" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["check", "--no-terraform"], 1),  # there are no credentials
        (["check", "--no-terraform", "--json"], 1),
        (["uninstall"], 0),
        (["dev-override"], 0),
        (["--help"], 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_reader_that_goes_away_changes_no_exit_code(
    tmp_path: Path, arguments: list[str], code: int, buffered: str
) -> None:
    """As `| head -1` does, also while there is more to print."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "crusoe_provider", *arguments],
        env={"HOME": str(tmp_path), "PYTHONUNBUFFERED": buffered},
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)

    assert (done.returncode, done.stderr) == (code, b"")


def test_an_interruption_is_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """Ctrl-C ends it as it ends other programs."""

    def interrupted(*_arguments: Any, **_more: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(check_module, "check", interrupted)

    assert run(["check"]) == 130
    assert capsys.readouterr() == ("", "")
