"""The commands for people: what somebody does in the console, done to a simulator that runs."""

import pytest

from crusoe_simulator.__main__ import main
from crusoe_simulator.keys_command import CONTROL_VARIABLE
from support.simulator_fixtures import Crusoe

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def control(crusoe: Crusoe, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that `--print-exports` sets; and a proxy, which is none of loopback's."""
    monkeypatch.setenv(CONTROL_VARIABLE, crusoe.simulator.control)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")


def test_keys_are_listed(crusoe: Crusoe, capsys: Capture) -> None:
    """Oldest first, in columns, without secrets."""
    keys = [crusoe.simulator.cloud.add_key(crusoe.user, alias=alias) for alias in ("a", "longer")]

    code = main(["keys", "list"])

    title, *rows = capsys.readouterr().out.splitlines()
    assert code == 0
    assert title.split("  ")[0] == "TOKEN ID"
    assert [row.split() for row in rows] == [
        [k.key_uuid, k.access_key_id, "enabled", k.created_at, k.expire_at, k.alias] for k in keys
    ]


def test_no_keys_are_a_title_alone(capsys: Capture) -> None:
    assert main(["keys", "list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_key_is_created_with_an_alias(crusoe: Crusoe, capsys: Capture) -> None:
    """Its secret is shown this once; it belongs to the first user unless another is named."""
    other = crusoe.simulator.cloud.add_user("other@x", crusoe.organization)

    codes = [
        main(["keys", "create", "--alias", "by hand"]),
        main(["keys", "create", "--user", other.email]),
    ]

    shown = capsys.readouterr().out
    first, second = crusoe.simulator.cloud.keys()
    assert codes == [0, 0]
    assert (first.alias, first.user_id, second.user_id) == ("by hand", crusoe.user.id, other.id)
    for key in (first, second):
        assert {key.key_uuid, key.access_key_id, key.secret_key} <= set(shown.split())


@pytest.mark.parametrize("field", ["key_uuid", "access_key_id"])
def test_a_key_is_deleted_by_either_id(crusoe: Crusoe, capsys: Capture, field: str) -> None:
    kept, gone = (crusoe.simulator.cloud.add_key(crusoe.user) for _ in range(2))

    code = main(["keys", "delete", getattr(gone, field)])

    assert (code, capsys.readouterr().out) == (0, f"Deleted {gone.access_key_id}.\n")
    assert crusoe.simulator.cloud.keys() == [kept]


def test_what_cannot_be_done_is_said_in_one_line(capsys: Capture) -> None:
    code = main(["keys", "delete", "CKIAUNKNOWN"])
    refused = main(["keys", "create", "--user", "nobody@x"])

    lines = capsys.readouterr().err.splitlines()
    assert (code, refused) == (1, 1)
    assert lines[0] == "There is no key CKIAUNKNOWN."
    assert lines[1].startswith("The simulator refuses: ")
    assert len(lines) == 2


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/_simulator", "nonsense"])
def test_a_simulator_that_is_not_there_is_said(capsys: Capture, url: str) -> None:
    """The option beats the variable."""
    assert main(["keys", "list", "--control", url]) == 1
    assert f"No simulator answers at {url}" in capsys.readouterr().err


def test_without_an_address_it_asks_for_one(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(CONTROL_VARIABLE)

    assert main(["keys", "list"]) == 1
    assert CONTROL_VARIABLE in capsys.readouterr().err
