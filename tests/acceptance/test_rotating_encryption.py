"""Rotating tokens whose secrets the state holds encrypted only."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crusoe_provider.tokens.encryption import Recipients, decrypt
from crusoe_simulator.faults import Answer, Fault
from harness.process import EXIT_SECONDS, still_running
from harness.workspace import Workspace
from support.clock_fixtures import MovableTime
from support.keys import AGE, AGE_IDENTITY, RSA, SSH, SSH_IDENTITY
from support.leaks import files_of, files_with
from support.rotating import ADDRESS, rotating, state_of
from support.simulator_fixtures import Crusoe

if TYPE_CHECKING:
    from harness.result import Result

pytestmark = pytest.mark.acceptance

FEW_RETRIES = 'provider "crusoe" {\n  max_retries = 0\n}\n'
NOT_ROTATED = "Storage token not rotated"
WARNING = "Earlier states still hold the secret"


def encrypted(*recipients: str, n: int = 1, more: str = "") -> str:
    """Return a configuration with these recipients; another number rotates."""
    argument = f"encrypt_to = {json.dumps(recipients)}\n  " if recipients else ""
    return rotating(f'{argument}rotate_when_changed = {{ n = "{n}" }}\n  {more}')


def secrets(crusoe: Crusoe) -> dict[str, str]:
    """Return the secrets at Crusoe by access key ID."""
    listed = crusoe.simulator.cloud.keys()
    return {key.access_key_id: key.secret_key for key in listed}


def check_secrets(
    workspace: Workspace, crusoe: Crusoe, current: str | None, previous: str | None = None
) -> None:
    """Check that the keys of the state are those at Crusoe, and how their secrets are kept.

    Args:
        workspace: The workspace.
        crusoe: The simulator.
        current: The identity that decrypts the secret of the current key; `None` if it is in the
            clear.
        previous: That of the previous key; an empty text if it is in the clear, `None` if there is
            no previous key.
    """
    state, expected = state_of(workspace), secrets(crusoe)
    found = {}
    for prefix, identity in (("", current), ("previous_", previous)):
        key = state[f"{prefix}access_key_id"]
        ciphertext, clear = (state[f"{prefix}{n}secret_key"] for n in ("encrypted_", ""))
        assert (key is None) == (prefix != "" and identity is None)
        if key is None:
            assert (ciphertext, clear) == (None, None)
        elif identity:
            assert clear is None
            found[key] = decrypt(ciphertext, identity)
        else:
            assert ciphertext is None
            found[key] = clear
    assert found == expected


def test_no_secret_of_any_generation_is_ever_in_the_clear(
    timed: Workspace, movable_time: MovableTime, crusoe: Crusoe
) -> None:
    """Through rotations by age, with another recipient, and without any of them at the end."""
    body = 'rotate_after = "30d"'
    timed.write(encrypted(AGE, more=body))
    plan = timed.plan(out="p", log="TRACE").succeeded()
    change = plan.changes[ADDRESS]
    assert (change.after or {})["secret_key"] is None
    assert "encrypted_secret_key" in change.unknown
    runs: list[Result] = [plan, timed.apply("p", log="TRACE").succeeded()]
    all_secrets = set(secrets(crusoe).values())
    check_secrets(timed, crusoe, AGE_IDENTITY)
    assert timed.plan("-detailed-exitcode").exit_code == 0

    # By age: the ciphertext of the current key moves on as it is.
    movable_time.advance(days=30)
    first = state_of(timed)["encrypted_secret_key"]
    plan = timed.plan(out="p", log="TRACE").succeeded()
    change = plan.changes[ADDRESS]
    assert change.action == "update"
    assert (change.after or {})["previous_encrypted_secret_key"] == first
    assert (change.after or {})["generation"] == 2
    assert change.unknown == {
        *("access_key_id", "token_id", "created_at", "status", "encrypted_secret_key")
    }
    runs += [plan, timed.apply("p", log="TRACE").succeeded()]
    all_secrets |= set(secrets(crusoe).values())
    check_secrets(timed, crusoe, AGE_IDENTITY, AGE_IDENTITY)

    # In another order, with another comment: no change. Other keys rotate.
    timed.write(encrypted(f"{AGE.upper()}\n", more=body))
    assert timed.plan("-detailed-exitcode").exit_code == 0
    timed.write(encrypted(SSH, more=body))
    plan = timed.plan(out="p", log="TRACE").succeeded()
    assert (plan.actions, plan.warnings) == ({ADDRESS: "update"}, ())
    assert (plan.changes[ADDRESS].after or {})["generation"] == 3
    runs += [plan, timed.apply("p", log="TRACE").succeeded()]
    all_secrets |= set(secrets(crusoe).values())
    check_secrets(timed, crusoe, SSH_IDENTITY, AGE_IDENTITY)
    runs += [
        timed.plan("-detailed-exitcode", out="q", log="TRACE"),
        timed.refresh().succeeded(),
        timed.run("show", "-json").succeeded(),
        timed.run("show", "-json", "q").succeeded(),
    ]
    assert runs[-4].exit_code == 0
    assert len(all_secrets) == 3
    for secret in all_secrets:
        assert [run.args for run in runs if secret in run.text or secret in run.log] == []
        assert files_with(secret, files_of(timed)) == []
    assert files_with(AGE, files_of(timed)) != []

    # Without recipients: the new secret is in the clear, the one before stays encrypted.
    timed.write(encrypted(more=body))
    plan = timed.plan(out="p").succeeded()
    assert (plan.changes[ADDRESS].after or {})["encrypted_secret_key"] is None
    assert (plan.changes[ADDRESS].after or {})["generation"] == 4
    timed.apply("p").succeeded()
    check_secrets(timed, crusoe, None, SSH_IDENTITY)
    assert timed.plan("-detailed-exitcode").exit_code == 0


def test_a_rotating_token_takes_recipients_up_in_place_with_both_its_secrets(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Nothing happens at Crusoe, and a warning says what still holds them."""
    for n in (1, 2):
        workspace.write(encrypted(n=n))
        workspace.apply().succeeded()
    before, requests = secrets(crusoe), crusoe.simulator.api.requests
    workspace.write(encrypted(AGE, n=2))
    requests.clear()

    plan = workspace.plan(out="p").succeeded()

    plan.warned_of(WARNING, address=ADDRESS)
    change = plan.changes[ADDRESS]
    assert change.action == "update"
    assert change.unknown == {"encrypted_secret_key", "previous_encrypted_secret_key"}
    workspace.apply("p").succeeded()
    assert requests.all("create") + requests.all("delete") == []
    check_secrets(workspace, crusoe, AGE_IDENTITY, AGE_IDENTITY)
    assert not [s for s in before.values() if s in json.dumps(workspace.state())]
    again = workspace.plan("-detailed-exitcode")
    assert (again.exit_code, again.warnings) == (0, ())


def test_a_rotation_that_fails_shows_no_secret_and_goes_on(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Refused, with its answer lost, and with Terraform killed; the current key stays readable."""
    faults = crusoe.simulator.faults
    workspace.write(encrypted(n=1))
    workspace.apply().succeeded()
    before = set(secrets(crusoe).values())
    all_secrets = set(before)

    # What can be encrypted already is, though the rotation of the same apply fails.
    workspace.write(FEW_RETRIES + encrypted(AGE, n=2))
    faults.add(Fault("create", answer=Answer(403, "{}")))
    runs = [workspace.apply(log="TRACE")]
    runs[-1].failed_with(NOT_ROTATED, address=ADDRESS)
    check_secrets(workspace, crusoe, AGE_IDENTITY)
    assert state_of(workspace)["generation"] == 1
    assert not [s for s in before if s in json.dumps(workspace.state())]

    # A key whose answer was lost, and that cannot be revoked; the old recipients stay until the
    # new key is there.
    workspace.write(FEW_RETRIES + encrypted(SSH, n=1))
    faults.add(Fault("create", cut="after"))
    faults.add(Fault("delete", times=None, answer=Answer(403, "{}")))
    runs.append(workspace.apply(log="TRACE"))
    runs[-1].failed_with(NOT_ROTATED, address=ADDRESS)
    assert state_of(workspace)["encrypt_to"] == [AGE]
    all_secrets |= set(secrets(crusoe).values())
    assert len(all_secrets) == 2
    faults.clear()

    # Killed while the answer is on its way.
    held = faults.add(Fault("create", hold="after"))
    running = workspace.start("apply", "-json", "-auto-approve")
    held.wait_arrived()
    plugins = workspace.plugin_processes()
    all_secrets |= set(secrets(crusoe).values())
    running.kill()
    held.release()
    running.wait()
    still_running(plugins, EXIT_SECONDS)
    (workspace.folder / ".terraform.tfstate.lock.info").unlink(missing_ok=True)
    assert len(all_secrets) == 3

    runs.append(workspace.apply(log="TRACE").succeeded())
    check_secrets(workspace, crusoe, SSH_IDENTITY, AGE_IDENTITY)
    assert state_of(workspace)["generation"] == 2
    assert workspace.plan("-detailed-exitcode").exit_code == 0
    all_secrets |= set(secrets(crusoe).values())
    assert len(all_secrets) == 4
    for secret in all_secrets:
        assert [run.args for run in runs if secret in run.text or secret in run.log] == []
        # The state before the recipients, and its backup, are as they were.
        found = files_with(secret, files_of(workspace))
        assert found == [] or secret in before


@pytest.mark.parametrize("changes", [True, False], ids=["others", "the same"])
def test_recipients_that_only_the_apply_knows_may_rotate(
    workspace: Workspace, crusoe: Crusoe, changes: bool
) -> None:
    """The plan shows that they may; that the secret stays encrypted is known. The order is new."""
    workspace.write(encrypted(AGE, SSH))
    workspace.apply().succeeded()
    (key,) = secrets(crusoe)
    workspace.write(
        rotating(
            f'encrypt_to = [terraform_data.key.output, "{AGE}"]\n'
            '  rotate_when_changed = { n = "1" }'
        )
        + f'resource "terraform_data" "key" {{ input = "{RSA if changes else SSH}" }}\n'
    )

    plan = workspace.plan(out="p").succeeded()

    change = plan.changes[ADDRESS]
    assert {"generation", "encrypted_secret_key"} <= change.unknown
    assert not {"secret_key", "previous_secret_key"} & change.unknown
    workspace.apply("p").succeeded()
    check_secrets(workspace, crusoe, AGE_IDENTITY, SSH_IDENTITY if changes else None)
    assert (key == state_of(workspace)["access_key_id"]) != changes
    assert workspace.plan("-detailed-exitcode").exit_code == 0


def test_recipients_in_another_order_come_with_the_next_change(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """By themselves they are none."""
    workspace.write(encrypted(AGE, SSH))
    workspace.apply().succeeded()
    workspace.write(encrypted(SSH, AGE))
    assert workspace.plan("-detailed-exitcode").exit_code == 0

    workspace.write(encrypted(SSH, AGE, n=2))
    change = workspace.plan(out="p").succeeded().changes[ADDRESS]
    workspace.apply("p").succeeded()

    assert (change.after or {})["encrypt_to"] == state_of(workspace)["encrypt_to"] == [SSH, AGE]
    check_secrets(workspace, crusoe, AGE_IDENTITY, AGE_IDENTITY)


@pytest.mark.parametrize("alias", ["ci", "cd"], ids=["stays", "rotates"])
@pytest.mark.parametrize("recipients", [(AGE,), ()], ids=["encrypted", "in the clear"])
def test_an_imported_secret_waits_for_the_apply(
    workspace: Workspace, crusoe: Crusoe, alias: str, recipients: tuple[str, ...]
) -> None:
    """The plan of an import holds what was imported. The key may be the previous one by then."""
    key = crusoe.simulator.cloud.add_key(crusoe.user, alias="ci")
    workspace.variables["CRUSOE_STORAGE_TOKEN_SECRET"] = key.secret_key
    workspace.write(
        rotating(f"encrypt_to = {json.dumps(recipients)}", alias=alias)
        + f'import {{\n  to = {ADDRESS}\n  id = "{key.key_uuid}"\n}}\n'
    )

    plan = workspace.plan(out="p", log="TRACE").succeeded()

    assert (plan.actions, plan.warnings) == ({ADDRESS: "update"}, ())
    assert files_with(key.secret_key, files_of(workspace)) == []
    identity = AGE_IDENTITY if recipients else ""
    if alias != "ci":
        # A rotation that fails does not lose it.
        crusoe.simulator.faults.add(Fault("create", answer=Answer(403, "{}")))
        workspace.apply("p").failed_with(NOT_ROTATED, address=ADDRESS)
        check_secrets(workspace, crusoe, identity)
        workspace.apply().succeeded()
        check_secrets(workspace, crusoe, identity, identity)
    else:
        workspace.apply("p").succeeded()
        check_secrets(workspace, crusoe, identity)
    if recipients:
        assert files_with(key.secret_key, files_of(workspace)) == []
    del workspace.variables["CRUSOE_STORAGE_TOKEN_SECRET"]
    assert workspace.plan("-detailed-exitcode").exit_code == 0


def test_an_imported_secret_may_be_encrypted_when_the_apply_comes(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """It is stored as it is, and not as if it were a secret in the clear."""
    key = crusoe.simulator.cloud.add_key(crusoe.user, alias="ci")
    workspace.variables["CRUSOE_STORAGE_TOKEN_SECRET"] = key.secret_key
    workspace.write(encrypted(AGE) + f'import {{\n  to = {ADDRESS}\n  id = "{key.key_uuid}"\n}}\n')
    workspace.plan(out="p").succeeded()
    del workspace.variables["CRUSOE_STORAGE_TOKEN_SECRET"]
    workspace.apply("p").failed_with("Secret of the imported storage token is needed")

    ciphertext = Recipients([AGE]).encrypt(key.secret_key)
    workspace.variables["CRUSOE_STORAGE_TOKEN_SECRET"] = ciphertext
    workspace.apply().succeeded()

    check_secrets(workspace, crusoe, AGE_IDENTITY)
    del workspace.variables["CRUSOE_STORAGE_TOKEN_SECRET"]
    assert workspace.plan("-detailed-exitcode").exit_code == 0


@pytest.mark.needs_terraform("1.11", opentofu="1.11")
def test_each_rotation_hands_the_new_secret_on_and_stores_it_nowhere(
    sink: Workspace, crusoe: Crusoe, tmp_path: Path
) -> None:
    """To a write-only argument, which the generation says to send again."""
    runs: list[Result] = []
    all_secrets: list[str] = []
    for n in (1, 2, 3):
        sink.write(
            encrypted(AGE, n=n)
            + f"""
            variable "identity" {{
              type      = string
              ephemeral = true
            }}

            resource "sink_secret" "s" {{
              value_wo = provider::crusoe::decrypt(
                {ADDRESS}.encrypted_secret_key, var.identity
              )
              value_wo_revision = {ADDRESS}.generation
            }}
            """
        )
        runs += [sink.plan(out="p", log="TRACE").succeeded(), sink.apply("p", log="TRACE")]
        runs[-1].succeeded()
        all_secrets.append(secrets(crusoe)[state_of(sink)["access_key_id"]])
        assert (tmp_path / "sink").read_text() == all_secrets[-1]
        assert sink.plan("-detailed-exitcode").exit_code == 0

    assert len(set(all_secrets)) == 3
    for text in (*all_secrets, AGE_IDENTITY):
        assert [run.args for run in runs if text in run.text or text in run.log] == []
        assert files_with(text, files_of(sink)) == []


def test_wrong_recipients_are_refused_before_anything_and_no_private_key_is_shown(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """By `terraform validate`, on the element; what only the apply knows before a request."""
    workspace.write(encrypted(AGE, "nobody@example.com"))
    workspace.validate().failed_with("Invalid recipient", address=ADDRESS)

    workspace.variables["TF_VAR_key"] = AGE_IDENTITY
    workspace.write(
        rotating(f'encrypt_to = ["{AGE}", var.key]') + 'variable "key" { type = string }\n'
    )
    run = workspace.plan(log="TRACE")
    run.failed_with("Private key in encrypt_to")
    assert AGE_IDENTITY not in run.text
    assert not [line for line in run.log.splitlines() if AGE_IDENTITY in line]

    workspace.write(
        rotating("encrypt_to = [terraform_data.key.output]")
        + 'resource "terraform_data" "key" { input = "nobody@example.com" }\n'
    )
    workspace.apply().failed_with("Invalid recipient", address=ADDRESS)
    assert crusoe.simulator.api.requests.all("create") == []
