"""Messages that hardly anybody meets, each brought about once, at the real provider."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tf.types import Unknown

from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_simulator.faults import Answer, Fault
from support.plugin import dynamic, errors, warnings
from support.provider_fixtures import Provider
from support.simulator_fixtures import Crusoe
from support.toy_fixtures import StartToy

TOKEN = "crusoe_storage_token"
ROTATING = "crusoe_storage_rotating_token"
REFUSED = Answer(403, "{}")
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def summaries(found: Any) -> list[str]:
    return [diagnostic.summary for diagnostic in found]


@pytest.mark.parametrize(
    ("status", "summary"),
    [
        (401, "Crusoe refused the credentials"),
        (403, "Crusoe refused permission"),
        (None, "Crusoe API not reachable"),
    ],
)
def test_what_stops_a_plan_before_it_begins(
    provider: Provider, crusoe: Crusoe, status: int | None, summary: str
) -> None:
    """The organization has to be known, and Crusoe does not tell."""
    answer = Answer(status, "{}") if status else None
    cut = None if status else "before"
    crusoe.simulator.faults.add(Fault("organizations", times=None, answer=answer, cut=cut))  # type: ignore[arg-type]  # a literal
    provider.configure(max_retries=0)

    planned = provider.plan_creation(TOKEN, alias="t")

    assert summaries(errors(planned)) == [summary]


def test_an_expiry_within_the_renewal_is_refused(provider: Provider) -> None:
    """The token would have to be renewed at once, by the same date."""
    provider.configure()

    planned = provider.plan_creation(TOKEN, expires_at=TOMORROW, renew_before="14d")

    assert summaries(errors(planned)) == ["Expiry is too near for the renewal"]


def test_an_ephemeral_token_that_cannot_be_revoked_is_named(
    provider: Provider, crusoe: Crusoe
) -> None:
    """With what becomes of it, and the command that revokes it; a second attempt comes later."""
    provider.configure(max_retries=0)
    opened = provider.ask(
        "OpenEphemeralResource",
        type_name=TOKEN,
        config=provider.config("ephemeral_resource", TOKEN),
    )
    crusoe.simulator.faults.add(Fault("delete", answer=REFUSED))

    closed = provider.ask("CloseEphemeralResource", type_name=TOKEN, private=opened.private)

    (key,) = crusoe.simulator.cloud.keys()
    name = f"Ephemeral storage token {key.access_key_id} not revoked"
    (error,) = errors(closed)
    assert error.summary == name
    assert f"expires by itself at {key.expire_at}" in error.detail
    assert f"crusoe storage tokens delete {key.key_uuid}" in error.detail


def _import(provider: Provider) -> Any:
    return provider.ask("ImportResourceState", type_name=TOKEN, id="anything")


def _look_up(provider: Provider) -> Any:
    config = provider.config("data_source", TOKEN, alias="anything")
    return provider.ask("ReadDataSource", type_name=TOKEN, config=config)


@pytest.mark.parametrize(
    ("call", "summary"),
    [(_import, "Storage token not imported"), (_look_up, "Storage token not looked up")],
)
def test_a_list_that_is_refused_is_told_by_what_it_was_for(
    provider: Provider, crusoe: Crusoe, call: Callable[[Provider], Any], summary: str
) -> None:
    crusoe.simulator.faults.add(Fault("list", times=None, answer=REFUSED))
    provider.configure()

    assert summaries(errors(call(provider))) == [summary]


def test_of_several_users_under_unknown_ids_no_token_is_imported(
    provider: Provider, crusoe: Crusoe
) -> None:
    """It may be anybody's."""
    entries = ", ".join(f'{{"access_key_id": "CKIA{n}", "user_id": "S3U_{n}"}}' for n in range(2))
    answer = Answer(200, f'{{"items": [{entries}]}}')
    crusoe.simulator.faults.add(Fault("list", times=None, answer=answer))
    provider.configure()

    imported = provider.ask("ImportResourceState", type_name=TOKEN, id="CKIA0")

    assert summaries(errors(imported)) == ["Owner of the listed tokens unknown"]
    assert not imported.imported_resources


def test_a_refresh_without_credentials_keeps_the_state(provider: Provider) -> None:
    """They come from a resource that does not exist yet."""
    provider.configure(access_key_id=Unknown, secret_key=Unknown)
    state = provider.config("resource", TOKEN, access_key_id="CKIA1", alias="t")

    read = provider.ask("ReadResource", type_name=TOKEN, current_state=state)

    assert summaries(warnings(read)) == ["Storage tokens not refreshed"]
    assert not errors(read)
    assert read.new_state == state


def test_a_status_that_no_token_has_is_found_by_validate(provider: Provider) -> None:
    config = provider.config("data_source", "crusoe_storage_tokens", status="on")

    validated = provider.ask(
        "ValidateDataResourceConfig", type_name="crusoe_storage_tokens", config=config
    )

    assert summaries(errors(validated)) == ["Invalid status"]


def test_what_terraform_never_asks_for_is_an_error(provider: Provider) -> None:
    """Of the protocol, and the plugin lives on."""
    provider.configure()
    identity = pb.ResourceIdentityData(identity_data=dynamic({"access_key_id": "CKIA1"}))

    nothing = provider.ask(
        "ApplyResourceChange",
        type_name=TOKEN,
        prior_state=dynamic(None),
        planned_state=dynamic(None),
        config=dynamic(None),
    )
    without = provider.ask("ImportResourceState", type_name=ROTATING, identity=identity)
    (negative,) = provider.ask(
        "ListResource",
        type_name=TOKEN,
        config=provider.config("list_resource", TOKEN),
        limit=-1,
    )
    unknown = provider.ask("CallFunction", name="nothing")

    assert summaries(errors(nothing)) == ["Nothing to apply"]
    assert summaries(errors(without)) == ["No identity"]
    assert summaries(negative.diagnostic) == ["Negative limit"]
    assert unknown.error.text.startswith("There is no function nothing here")


def test_a_resource_that_cannot_be_imported_says_so(start_toy: StartToy) -> None:
    """All of ours can; the host serves others, too."""
    plugin = start_toy(TOY_WITHOUT_IMPORT="1")

    imported = plugin.provider.ImportResourceState(
        pb.ImportResourceState.Request(type_name="toy_thing", id="7")
    )

    assert summaries(errors(imported)) == ["Import is not supported"]
