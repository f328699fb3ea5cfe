"""Tokens whose secret the state holds encrypted only."""

import json
from pathlib import Path

import pytest

from crusoe_provider.tokens.encryption import Recipients, decrypt
from harness.workspace import Instance, Workspace
from support.keys import AGE, AGE_IDENTITY, RSA, SSH, SSH_IDENTITY
from support.leaks import files_of, files_with
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

ADDRESS = "crusoe_storage_token.t"
IDENTITY = 'variable "identity" {\n  type      = string\n  ephemeral = true\n}\n'
DECRYPTED = f"provider::crusoe::decrypt({ADDRESS}.encrypted_secret_key, var.identity)"


def token(*recipients: str, more: str = "") -> str:
    """Return a block with these recipients; without any, there is no list."""
    argument = f"encrypt_to = {json.dumps(recipients)}" if recipients else ""
    return f'resource "crusoe_storage_token" "t" {{\n  alias = "t"\n  {argument}\n  {more}\n}}\n'


def secret_of(crusoe: Crusoe) -> str:
    (key,) = crusoe.simulator.cloud.keys()
    return key.secret_key


def stored(workspace: Workspace) -> Instance:
    return workspace.instances()[ADDRESS]


def decrypted(workspace: Workspace, identity: str = AGE_IDENTITY) -> str:
    """Return the secret in the state, which has to be encrypted."""
    attributes = stored(workspace).attributes
    assert attributes["secret_key"] is None
    return decrypt(attributes["encrypted_secret_key"], identity)


def test_the_secret_is_never_in_the_clear(workspace: Workspace, crusoe: Crusoe) -> None:
    """In no plan, state, backup, output or log at TRACE, from the plan to the destruction."""
    workspace.write(
        token(AGE, SSH) + f'output "secret" {{\n  value = {ADDRESS}.encrypted_secret_key\n}}\n'
    )

    plan = workspace.plan(out="p", log="TRACE").succeeded()
    runs = [plan, workspace.apply("p", log="TRACE").succeeded()]
    secret = secret_of(crusoe)
    assert decrypted(workspace) == decrypted(workspace, SSH_IDENTITY) == secret
    runs += [
        workspace.plan("-detailed-exitcode", out="q", log="TRACE"),
        workspace.refresh().succeeded(),
        workspace.run("show", "-json").succeeded(),
        workspace.run("show", "-json", "q").succeeded(),
        workspace.run("output", "-json").succeeded(),
        workspace.run("output", "-raw", "secret").succeeded(),
        workspace.destroy(log="TRACE").succeeded(),
    ]

    change = plan.changes[ADDRESS]
    assert (change.after or {})["secret_key"] is None
    assert "encrypted_secret_key" in change.unknown
    assert runs[2].exit_code == 0
    assert decrypt(runs[-2].stdout, AGE_IDENTITY) == secret
    assert [run.args for run in runs if secret in run.text or secret in run.log] == []
    assert files_with(secret, files_of(workspace)) == []
    # What is looked for would be found where it is.
    assert files_with(AGE, files_of(workspace)) != []


def test_an_order_a_spelling_and_a_comment_are_no_change(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Other keys are, all of them: the secret cannot be encrypted anew."""
    workspace.write(token(AGE, SSH))
    workspace.apply().succeeded()
    secret = secret_of(crusoe)

    workspace.write(token(f"{' '.join(SSH.split()[:2])} a comment", f"{AGE.upper()}\n"))
    assert workspace.plan("-detailed-exitcode").exit_code == 0
    for recipients in ((AGE,), (AGE, SSH, RSA), ()):
        workspace.write(token(*recipients))
        change = workspace.plan().succeeded().changes[ADDRESS]
        assert (change.action, change.replaced_because_of) == (
            "replace",
            frozenset({"encrypt_to"}),
        )
    workspace.apply().succeeded()

    assert stored(workspace).attributes["encrypted_secret_key"] is None
    assert stored(workspace).attributes["secret_key"] == secret_of(crusoe) != secret
    assert workspace.plan("-detailed-exitcode").exit_code == 0


def test_a_token_with_its_secret_in_the_state_takes_it_up_in_place(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """Nothing happens at Crusoe; a warning says what still holds the secret."""
    workspace.write(token())
    workspace.apply().succeeded()
    secret = secret_of(crusoe)
    workspace.write(token(AGE))

    plan = workspace.plan(out="p").succeeded()

    plan.warned_of("Earlier states still hold the secret", address=ADDRESS)
    assert plan.actions == {ADDRESS: "update"}
    assert workspace.apply("p").succeeded().warnings == ()
    assert decrypted(workspace) == secret_of(crusoe) == secret
    assert secret not in json.dumps(workspace.state())
    again = workspace.plan("-detailed-exitcode")
    assert (again.exit_code, again.warnings) == (0, ())


@pytest.mark.parametrize("existing", [True, False], ids=["update", "create"])
@pytest.mark.parametrize("recipients", [f'["{AGE}"]', "[]", "null"], ids=["one", "none", "null"])
def test_recipients_may_be_known_in_the_apply_only(
    workspace: Workspace, crusoe: Crusoe, recipients: str, existing: bool
) -> None:
    """The plan leaves open what the apply decides, and the next plan finds nothing to do."""
    if existing:
        workspace.write(token())
        workspace.apply().succeeded()
    workspace.write(
        token(more="encrypt_to = terraform_data.keys.output.keys")
        + f'resource "terraform_data" "keys" {{ input = {{ keys = {recipients} }} }}\n'
    )

    plan = workspace.plan(out="p").succeeded()

    assert {"secret_key", "encrypted_secret_key"} <= plan.changes[ADDRESS].unknown
    workspace.apply("p").succeeded()
    if AGE in recipients:
        assert decrypted(workspace) == secret_of(crusoe)
    else:
        assert stored(workspace).attributes["secret_key"] == secret_of(crusoe)
        assert stored(workspace).attributes["encrypted_secret_key"] is None
    assert workspace.plan("-detailed-exitcode").exit_code == 0


def test_one_of_the_recipients_may_be_known_in_the_apply_only(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """That there will be one is known: the secret is encrypted."""
    workspace.write(
        token(more=f'encrypt_to = ["{SSH}", terraform_data.key.output]')
        + f'resource "terraform_data" "key" {{ input = "{AGE}" }}\n'
    )

    plan = workspace.plan(out="p").succeeded()

    assert "secret_key" not in plan.changes[ADDRESS].unknown
    workspace.apply("p").succeeded()
    assert decrypted(workspace) == secret_of(crusoe)
    assert workspace.plan("-detailed-exitcode").exit_code == 0


def test_a_wrong_recipient_that_the_apply_learns_of_creates_nothing(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """A token whose secret nobody could read would be lost."""
    workspace.write(
        token(more="encrypt_to = [terraform_data.key.output]")
        + 'resource "terraform_data" "key" { input = "nobody@example.com" }\n'
    )

    workspace.apply().failed_with("Invalid recipient", address=ADDRESS, attribute="encrypt_to")

    assert crusoe.simulator.cloud.keys() == []


@pytest.mark.parametrize(
    "wrong", ["", f"{AGE[:-1]}{'q' if AGE[-1] != 'q' else 'p'}", "ecdsa-sha2-nistp256 AAAAE2Vj"]
)
def test_a_wrong_recipient_is_refused_where_it_stands(workspace: Workspace, wrong: str) -> None:
    """By `terraform validate`, on the element."""
    workspace.write(
        f'resource "crusoe_storage_token" "t" {{\n  encrypt_to = [\n    "{AGE}",\n'
        f'    "{wrong}",\n  ]\n}}\n'
    )

    result = workspace.validate().failed()

    (found,) = (d for d in json.loads(result.stdout)["diagnostics"] if d["severity"] == "error")
    assert (found["summary"], found["range"]["start"]["line"]) == ("Invalid recipient", 4)


@pytest.mark.parametrize("identity", [AGE_IDENTITY, SSH_IDENTITY], ids=["age", "ssh"])
@pytest.mark.parametrize("literal", [True, False], ids=["literal", "variable"])
def test_a_private_key_among_the_recipients_is_refused_and_never_shown(
    workspace: Workspace, identity: str, literal: bool
) -> None:
    """Nor the line that it stands in."""
    workspace.variables["TF_VAR_key"] = identity
    workspace.write(
        'resource "crusoe_storage_token" "t" {\n  encrypt_to = [\n'
        f"    {json.dumps(identity) if literal else 'var.key'},\n  ]\n}}\n"
        'variable "key" { type = string }\n'
    )

    runs = [workspace.plan(log="TRACE"), workspace.plan(json_ui=False)]

    for run in runs:
        run.failed_with("Private key in encrypt_to")
        assert identity.splitlines()[-1] not in run.text
        assert identity.splitlines()[0] not in run.text
        assert not [line for line in run.log.splitlines() if identity.splitlines()[-1] in line]


@pytest.mark.needs_terraform("1.11", opentofu="1.11")
def test_it_is_handed_on_while_an_apply_runs_and_stored_nowhere(
    sink: Workspace, crusoe: Crusoe, tmp_path: Path
) -> None:
    """To a provisioner and to a write-only argument; the identity is an ephemeral variable."""
    sink.write(
        token(AGE)
        + IDENTITY
        + f"""
        resource "terraform_data" "handed_on" {{
          triggers_replace = {ADDRESS}.access_key_id

          provisioner "local-exec" {{
            command     = "printf %s \\"$SECRET\\" > '{tmp_path / "provisioned"}'; echo $SECRET"
            environment = {{ SECRET = {DECRYPTED} }}
          }}
        }}

        resource "sink_secret" "s" {{
          value_wo          = {DECRYPTED}
          value_wo_revision = 1
        }}
        """
    )

    runs = [
        sink.plan(out="p", log="TRACE").succeeded(),
        sink.apply("p", log="TRACE").succeeded(),
        sink.plan("-detailed-exitcode", out="q", log="TRACE"),
        sink.run("show", "-json").succeeded(),
        sink.run("show", "-json", "q").succeeded(),
    ]

    secret = secret_of(crusoe)
    assert (tmp_path / "provisioned").read_text() == secret
    assert (tmp_path / "sink").read_text() == secret
    assert runs[2].exit_code == 0
    for text in (secret, AGE_IDENTITY):
        assert [run.args for run in runs if text in run.text or text in run.log] == []
        assert files_with(text, files_of(sink)) == []


def test_the_example_hands_the_secret_to_a_command(
    workspace: Workspace, crusoe: Crusoe, tmp_path: Path
) -> None:
    """As it stands in the repository, with an SSH key."""
    file = tmp_path / "handed_on"
    workspace.use_example("encrypted-secret")
    workspace.variables |= {
        "TF_VAR_age_identity": SSH_IDENTITY,
        "TF_VAR_recipients": json.dumps([AGE, SSH]),
        "TF_VAR_command": f"printf %s \"$SECRET_KEY\" > '{file}'",
    }

    applied = workspace.apply().succeeded()

    secret = secret_of(crusoe)
    assert file.read_text() == secret
    assert decrypt(workspace.output_json()["encrypted_secret_key"], AGE_IDENTITY) == secret
    assert secret not in applied.text
    assert files_with(secret, workspace.folder) == []
    assert workspace.plan("-detailed-exitcode").exit_code == 0


def test_the_result_is_as_sensitive_as_the_identity(workspace: Workspace, crusoe: Crusoe) -> None:
    """Terraform refuses to put it into an output that is not, or an argument that is stored."""
    workspace.variables["TF_VAR_identity"] = AGE_IDENTITY
    sensitive = IDENTITY.replace("ephemeral", "sensitive")
    workspace.write(token(AGE))
    workspace.apply().succeeded()

    workspace.write(sensitive + f'output "secret" {{ value = {DECRYPTED} }}\n', name="o.tf")
    workspace.plan().failed_with("Output refers to sensitive values")
    workspace.write(IDENTITY + f'output "secret" {{ value = {DECRYPTED} }}\n', name="o.tf")
    output = {error.summary for error in workspace.plan().failed().errors}
    workspace.write(
        IDENTITY + f'resource "terraform_data" "d" {{ input = {DECRYPTED} }}\n', name="o.tf"
    )
    argument = {error.summary for error in workspace.plan().failed().errors}

    # Terraform's words, and those of OpenTofu.
    assert output <= {"Ephemeral value not allowed", "Output does not allow ephemeral value"}
    assert argument <= {
        "Invalid use of ephemeral value",
        "Ephemeral value used in non-ephemeral context",
    }
    workspace.write(
        sensitive + f'output "secret" {{\n  value     = {DECRYPTED}\n  sensitive = true\n}}\n',
        name="o.tf",
    )
    applied = workspace.apply().succeeded()

    assert workspace.output_json() == {"secret": secret_of(crusoe)}
    assert secret_of(crusoe) not in applied.text


@pytest.mark.parametrize(
    ("ciphertext", "identity", "argument"),
    [
        ("a-secret-in-the-clear", AGE_IDENTITY, "ciphertext"),
        ("", AGE_IDENTITY, "ciphertext"),
        ("-----BEGIN AGE ENCRYPTED FILE-----", "AGE-SECRET-KEY-1QQQQWRONG", "identity"),
        ("-----BEGIN AGE ENCRYPTED FILE-----", AGE, "identity"),
    ],
)
def test_what_cannot_be_decrypted_is_said_of_its_argument(
    workspace: Workspace, ciphertext: str, identity: str, argument: str
) -> None:
    """And nothing is quoted."""
    workspace.variables |= {"TF_VAR_identity": identity, "TF_VAR_ciphertext": ciphertext}
    workspace.write(
        'variable "identity" { sensitive = true }\n'
        'variable "ciphertext" { sensitive = true }\n'
        'output "o" {\n  sensitive = true\n'
        "  value = provider::crusoe::decrypt(var.ciphertext, var.identity)\n}\n"
    )

    error = workspace.plan().failed_with("Invalid function argument")

    assert f"{argument} is " in error.detail
    for text in filter(None, (ciphertext, identity)):
        assert text not in error.detail.replace("-----BEGIN AGE ENCRYPTED FILE-----)", "")


# -- Tokens that exist already ---------------------------------------------------------------------


def test_an_import_encrypts_the_secret_of_the_environment(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """It waits for the apply: the plan of an import holds what was imported."""
    key = crusoe.simulator.cloud.add_key(crusoe.user, alias="t")
    workspace.variables["CRUSOE_STORAGE_TOKEN_SECRET"] = key.secret_key
    workspace.write(token(AGE) + f'import {{\n  to = {ADDRESS}\n  id = "{key.key_uuid}"\n}}\n')

    plan = workspace.plan(out="p", log="TRACE").succeeded()
    applied = workspace.apply("p", log="TRACE").succeeded()

    assert (plan.actions, plan.warnings) == ({ADDRESS: "update"}, ())
    assert decrypted(workspace) == key.secret_key
    assert [run.args for run in (plan, applied) if key.secret_key in run.text + run.log] == []
    assert files_with(key.secret_key, files_of(workspace)) == []
    del workspace.variables["CRUSOE_STORAGE_TOKEN_SECRET"]
    assert workspace.plan("-detailed-exitcode").exit_code == 0


@pytest.mark.parametrize("encrypted", [False, True], ids=["in the clear", "encrypted"])
def test_an_import_without_recipients_stores_the_secret_in_the_apply(
    workspace: Workspace, crusoe: Crusoe, encrypted: bool
) -> None:
    """Which needs it once more: no plan holds it. It may be another form of it by then."""
    key = crusoe.simulator.cloud.add_key(crusoe.user, alias="t")
    workspace.variables["CRUSOE_STORAGE_TOKEN_SECRET"] = key.secret_key
    workspace.write(token() + f'import {{\n  to = {ADDRESS}\n  id = "{key.key_uuid}"\n}}\n')

    workspace.plan(out="p").succeeded()
    assert files_with(key.secret_key, files_of(workspace)) == []
    del workspace.variables["CRUSOE_STORAGE_TOKEN_SECRET"]
    workspace.apply("p").failed_with("Secret of the imported storage token is needed")
    again = Recipients([AGE]).encrypt(key.secret_key) if encrypted else key.secret_key
    workspace.variables["CRUSOE_STORAGE_TOKEN_SECRET"] = again
    workspace.apply().succeeded()

    if encrypted:
        assert decrypted(workspace) == key.secret_key
    else:
        assert stored(workspace).attributes["secret_key"] == key.secret_key
    del workspace.variables["CRUSOE_STORAGE_TOKEN_SECRET"]
    assert workspace.plan("-detailed-exitcode").exit_code == 0


def test_an_import_takes_a_secret_that_is_encrypted_already(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """By the command as well, which knows nothing of the configuration."""
    key = crusoe.simulator.cloud.add_key(crusoe.user, alias="t")
    ciphertext = Recipients([AGE]).encrypt(key.secret_key)
    workspace.variables["CRUSOE_STORAGE_TOKEN_SECRET"] = ciphertext
    workspace.write(token(AGE))

    workspace.import_(ADDRESS, key.key_uuid).succeeded()

    assert decrypted(workspace) == key.secret_key
    assert workspace.plan(out="p").succeeded().actions == {ADDRESS: "update"}
    workspace.apply("p").succeeded()
    assert decrypted(workspace) == key.secret_key
    assert workspace.plan("-detailed-exitcode").exit_code == 0


def test_an_import_without_its_secret_takes_recipients_up(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """There is nothing to encrypt, which is no reason for a new token, now or later."""
    key = crusoe.simulator.cloud.add_key(crusoe.user, alias="t")
    workspace.write(token(AGE))
    workspace.import_(ADDRESS, key.key_uuid).succeeded()

    for recipients in ((AGE,), (SSH,)):
        workspace.write(token(*recipients))
        assert workspace.plan(out="p").succeeded().actions == {ADDRESS: "update"}
        workspace.apply("p").succeeded()
        assert workspace.plan("-detailed-exitcode").exit_code == 0
    assert crusoe.simulator.cloud.keys() == [key]
