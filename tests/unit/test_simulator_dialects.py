"""The dialects of the simulator: each changes the one thing that its name says."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crusoe_simulator.dialects import NAMES, TABLE
from crusoe_simulator.server import Simulator
from crusoe_simulator.speech import Speech
from support import simulator_fixtures
from support.signed_requests import Reply, control, send
from support.simulator_fixtures import Crusoe

NEVER = "1970-01-01T00:00:00Z"
EXPIRY = "2040-01-01T12:34:56Z"
ODD_IDS = {
    "entry-odd": "CKIAODDENTRY00000001",
    "entry-ownerless": "CKIAOWNERLESS0000001",
    "entry-nameless": None,
}


def create(crusoe: Crusoe, **body: Any) -> Reply:
    return send(crusoe.simulator, crusoe.user, "POST", crusoe.keys_path, body)


def listed(crusoe: Crusoe) -> Any:
    return send(crusoe.simulator, crusoe.user, "GET", crusoe.keys_path).document


def delete(crusoe: Crusoe) -> Reply:
    (key,) = crusoe.simulator.cloud.keys()
    path = f"{crusoe.keys_path}/{key.access_key_id}"
    return send(crusoe.simulator, crusoe.user, "DELETE", path)


# -- Answers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "shown"), [("items-null", {"items": None}), ("items-absent", {})])
def test_an_empty_list_can_be_put_otherwise(crusoe: Crusoe, name: str, shown: Any) -> None:
    """One with keys in it is put as ever."""
    crusoe.simulator.speak(name)
    before = listed(crusoe)

    create(crusoe)

    assert before == shown
    assert len(listed(crusoe)["items"]) == 1


@pytest.mark.parametrize(
    ("name", "status", "content_type"),
    [
        ("create-201", 201, "application/json"),
        ("create-text", 200, "text/plain"),
        ("create-untyped", 200, None),
    ],
)
def test_a_creation_can_be_answered_otherwise(
    crusoe: Crusoe, name: str, status: int, content_type: str | None
) -> None:
    """The key is in it all the same."""
    crusoe.simulator.speak(name)

    reply = create(crusoe)

    (key,) = crusoe.simulator.cloud.keys()
    assert (reply.status, reply.headers["Content-Type"]) == (status, content_type)
    assert reply.document["secret_key"] == key.secret_key


@pytest.mark.parametrize(
    ("name", "status", "document"), [("delete-200", 200, {}), ("delete-202", 202, None)]
)
def test_a_deletion_can_be_answered_otherwise(
    crusoe: Crusoe, name: str, status: int, document: Any
) -> None:
    crusoe.simulator.speak(name)
    crusoe.simulator.cloud.add_key(crusoe.user)

    reply = delete(crusoe)

    assert (reply.status, reply.document) == (status, document)
    assert ("Content-Type" in reply.headers) == (document is not None)
    assert crusoe.simulator.cloud.keys() == []


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("never-year-one", "0001-01-01T00:00:00Z"),
        ("never-null", None),
        ("never-empty", ""),
        ("never-absent", "absent"),
    ],
)
def test_never_has_many_spellings(crusoe: Crusoe, name: str, shown: str | None) -> None:
    """In the answer to a creation as in lists; a real expiry is left alone."""
    crusoe.simulator.speak(name)

    never, real = create(crusoe), create(crusoe, expire_at=EXPIRY)

    entries = listed(crusoe)["items"]
    assert never.document.get("expire_at", "absent") == shown
    assert real.document["expire_at"] == EXPIRY
    assert {entry.get("expire_at", "absent") for entry in entries} == {shown, EXPIRY}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("expiry-fraction", "2040-01-01T12:34:56.000Z"),
        ("expiry-offset", "2040-01-01T12:34:56+00:00"),
    ],
)
def test_an_expiry_has_many_spellings_too(crusoe: Crusoe, name: str, shown: str) -> None:
    """Never is left alone."""
    crusoe.simulator.speak(name)

    replies = create(crusoe, expire_at=EXPIRY), create(crusoe)

    assert [reply.document["expire_at"] for reply in replies] == [shown, NEVER]
    assert {entry["expire_at"] for entry in listed(crusoe)["items"]} == {shown, NEVER}


@pytest.mark.parametrize(
    ("name", "field", "shown"),
    [
        ("alias-null", "alias", None),
        ("alias-absent", "alias", "absent"),
        ("status-absent", "status", "absent"),
        ("status-number", "status", 1),
        ("created-at-absent", "created_at", "absent"),
        ("created-at-number", "created_at", 1767225600),
    ],
)
def test_a_field_of_a_key_can_be_strange(
    crusoe: Crusoe, name: str, field: str, shown: object
) -> None:
    crusoe.simulator.cloud.add_key(crusoe.user)
    crusoe.simulator.speak()
    (plain,) = listed(crusoe)["items"]

    crusoe.simulator.speak(name)
    (entry,) = listed(crusoe)["items"]

    assert entry.get(field, "absent") == shown
    assert entry | {field: plain[field]} == plain


@pytest.mark.parametrize(
    ("name", "shown"), [("email-absent", "absent"), ("email-number", 7)], ids=["absent", "number"]
)
def test_the_callers_address_can_be_strange(crusoe: Crusoe, name: str, shown: object) -> None:
    crusoe.simulator.speak(name)

    identity = send(crusoe.simulator, crusoe.user, "GET", "/users/identities").document["identity"]

    assert identity.get("email", "absent") == shown
    assert identity["id"] == crusoe.user.id


@pytest.mark.parametrize(
    ("name", "shown"),
    [("organization-name-absent", "absent"), ("organization-name-number", 7)],
    ids=["absent", "number"],
)
def test_the_name_of_an_organization_can_be_strange(
    crusoe: Crusoe, name: str, shown: object
) -> None:
    crusoe.simulator.speak(name)

    reply = send(crusoe.simulator, crusoe.user, "GET", "/organizations/entities")

    (organization,) = reply.document["items"]
    assert organization.get("name", "absent") == shown
    assert organization["id"] == crusoe.organization.id


def test_the_owner_of_a_key_can_have_an_id_of_another_kind(crusoe: Crusoe) -> None:
    """It is the same in every list, and another user's is another."""
    cloud = crusoe.simulator.cloud
    cloud.add_key(crusoe.user, alias="own")
    cloud.add_key(crusoe.user, alias="own")
    cloud.add_key(cloud.add_user("other@x", crusoe.organization), alias="other")
    crusoe.simulator.speak("owner-s3-user")

    owners = {
        alias: {
            e["user_id"] for _ in range(2) for e in listed(crusoe)["items"] if e["alias"] == alias
        }
        for alias in ("own", "other")
    }

    assert {alias: len(ids) for alias, ids in owners.items()} == {"own": 1, "other": 1}
    assert owners["own"] != owners["other"]
    assert all(owner.startswith("S3U_") for ids in owners.values() for owner in ids)


@pytest.mark.parametrize("name", list(ODD_IDS))
def test_a_list_can_begin_with_an_odd_entry(crusoe: Crusoe, name: str) -> None:
    """It is in front of the real ones, and in a list that would be empty."""
    crusoe.simulator.speak(name, "items-null")
    alone = listed(crusoe)["items"]
    created = create(crusoe).document["access_key_id"]

    ids = [entry.get("access_key_id") for entry in listed(crusoe)["items"]]

    assert [entry.get("access_key_id") for entry in alone] == [ODD_IDS[name]]
    assert ids == [ODD_IDS[name], created]


# -- What is stored --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "stored"),
    [
        (["alias-trimmed"], "A b"),
        (["alias-lower"], " a b "),
        (["alias-lower", "alias-trimmed"], "a b"),
    ],
)
def test_an_alias_can_be_stored_otherwise(crusoe: Crusoe, names: list[str], stored: str) -> None:
    crusoe.simulator.speak(*names)

    create(crusoe, alias=" A b ")

    assert crusoe.aliases() == [stored]


@pytest.mark.parametrize(
    ("name", "given", "stored"),
    [
        ("expiry-rounded", "2040-01-01T12:34:56.5Z", "2040-01-01T12:34:57Z"),
        ("expiry-rounded", "2040-01-01T12:34:56.4Z", "2040-01-01T12:34:56Z"),
        ("expiry-rounded", "9999-12-31T23:59:59.9Z", "9999-12-31T23:59:59Z"),
        ("expiry-minute", "2040-01-01T12:34:56+01:00", "2040-01-01T11:34:00Z"),
        ("expiry-minute", "", NEVER),
    ],
)
def test_an_expiry_can_be_stored_otherwise(
    crusoe: Crusoe, name: str, given: str, stored: str
) -> None:
    crusoe.simulator.speak(name)

    create(crusoe, expire_at=given)

    (key,) = crusoe.simulator.cloud.keys()
    assert key.expire_at == stored


def test_nonsense_is_refused_in_every_dialect() -> None:
    """What is wrong is not set right by a dialect that changes what is stored."""
    with Simulator(dialects=["alias-lower", "expiry-rounded"]) as simulator:
        organization = simulator.cloud.add_organization("acme")
        lax = Crusoe(simulator, organization, simulator.cloud.add_user("dev@x", organization))

        bodies: list[Any] = [[], {"alias": 1}, {"expire_at": 5}, {"expire_at": "soon"}]
        statuses = [
            send(simulator, lax.user, "POST", lax.keys_path, body).status for body in bodies
        ]

    assert statuses == [400] * 4


def test_a_key_gets_what_was_not_asked_for(crusoe: Crusoe) -> None:
    """A name where there is none, and an end; what is asked for within that counts."""
    crusoe.simulator.speak("alias-default", "expiry-bounded")
    soon = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)

    create(crusoe)
    create(crusoe, alias="a", expire_at=soon.isoformat())

    bare, full = sorted(listed(crusoe)["items"], key=lambda entry: entry["alias"] == "a")
    assert (bare["alias"], full["alias"]) == ("api-key", "a")
    assert datetime.fromisoformat(full["expire_at"]) == soon
    left = datetime.fromisoformat(bare["expire_at"]) - datetime.now(UTC)
    assert timedelta(days=89) < left <= timedelta(days=90)


# -- Several, and none -----------------------------------------------------------------------------


def test_one_of_each_subject_can_be_spoken_at_once(crusoe: Crusoe) -> None:
    """The last of each, so that those that leave nothing to look at are among them."""
    crusoe.simulator.speak(*{dialect.subject: dialect.name for dialect in TABLE}.values())

    created, entries = create(crusoe, alias=" A "), listed(crusoe)["items"]
    deleted = delete(crusoe)

    assert (created.status, deleted.status) == (201, 202)
    assert created.document.keys() == {"access_key_id", "secret_key", "expire_at"}
    assert len(entries) == 4
    assert entries[-1]["alias"] == "a"
    assert entries[-1]["user_id"].startswith("S3U_")


def test_an_error_is_put_as_ever(crusoe: Crusoe) -> None:
    crusoe.simulator.speak("create-201", "create-text")
    for _ in range(2):
        crusoe.simulator.cloud.add_key(crusoe.user)

    reply = create(crusoe)

    assert (reply.status, reply.headers["Content-Type"]) == (400, "application/json")


@pytest.mark.parametrize(
    "names", [["items-nul"], ["items-null", "items-absent"]], ids=["unknown", "contradiction"]
)
def test_a_mistake_in_the_names_is_said(names: list[str]) -> None:
    """A dialect that is not spoken would make a test prove nothing."""
    with pytest.raises(ValueError, match="items-nul"):
        Speech(names)


def test_names_differ_and_every_dialect_changes_something() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert all((dialect.change and dialect.operations) or dialect.wish for dialect in TABLE)


# -- Ways to choose them ---------------------------------------------------------------------------


def test_dialects_can_be_chosen_over_http(crusoe: Crusoe) -> None:
    chosen = control(crusoe.simulator, "PUT", "/dialects", {"names": ["items-null", "create-201"]})
    shown = control(crusoe.simulator, "GET", "/dialects")

    assert chosen["names"] == shown["names"] == ["items-null", "create-201"]
    assert set(shown["known"]) == set(NAMES)
    assert listed(crusoe) == {"items": None}


def test_the_environment_chooses_for_all_tests(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """So that the acceptance tests can be run in another dialect."""
    monkeypatch.setenv(simulator_fixtures.DIALECT, "items-null, create-201")

    crusoe: Crusoe = request.getfixturevalue("crusoe")

    assert crusoe.simulator.api.speech.names == ["items-null", "create-201"]
