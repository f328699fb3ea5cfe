"""The provider block and its diagnostics, through real Terraform."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.sandbox import PLUGIN
from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

TOKEN = 'resource "crusoe_storage_token" "t" { alias = "t" }\n'


MISTAKES = [
    ('api_endpoint = "http://api.example"', "Invalid API endpoint"),
    ('request_timeout = "eventually"', "Invalid request_timeout"),
    ("max_retries = 11", "Invalid max_retries"),
    ("key_limit = -1", "Invalid key limit"),
    ("key_limit = 1.5", "Invalid key limit"),
    # No binary fraction is exactly that, so it comes as text.
    ("key_limit = 0.1", "Invalid key limit"),
    ("key_limit = 1e400", "Invalid key limit"),
    ("max_retries = 0.1", "Invalid max_retries"),
    ("max_retries = 1e400", "Invalid max_retries"),
    ('organization_id = " "', "Empty organization_id"),
    ('access_key_id = ""', "Empty access_key_id"),
    ('access_key_id = "CKID"', "Incomplete credentials"),
    ('profile = " "', "Empty profile"),
]


def test_a_bad_argument_is_found_by_validate(
    workspace: Workspace, subtests: pytest.Subtests
) -> None:
    """On the attribute it concerns, without network and credentials."""
    workspace.variables.clear()
    workspace.write(
        "".join(
            f'provider "crusoe" {{\n  alias = "n{n}"\n  {line}\n}}\n'
            f'resource "crusoe_storage_token" "n{n}" {{\n  provider = crusoe.n{n}\n}}\n'
            for n, (line, _) in enumerate(MISTAKES)
        )
    )

    validated = workspace.validate()

    for n, (line, summary) in enumerate(MISTAKES):
        with subtests.test(line):
            found = [
                error
                for error in validated.errors
                if error.summary == summary
                and error.attribute == line.split(" ", maxsplit=1)[0]
                and (error.address or "").endswith(f".n{n}")
            ]
            assert found, validated.report()


def test_validate_needs_neither_credentials_nor_network(workspace: Workspace) -> None:
    """It never configures the provider."""
    workspace.variables.clear()
    workspace.write(TOKEN)

    workspace.validate().succeeded()


def test_missing_credentials_name_every_source(workspace: Workspace) -> None:
    """All at once, so that one run is enough to know.

    Without a provider block Terraform adds an error of its own, as the guides say.
    """
    workspace.variables.clear()
    workspace.write(TOKEN)
    own = "Invalid provider configuration"
    assert own in {error.summary for error in workspace.plan().errors}
    workspace.write('provider "crusoe" {}\n' + TOKEN)

    detail = workspace.plan().failed_with("Missing Crusoe credentials").detail

    for source in ("provider block", "CRUSOE_ACCESS_KEY_ID", ".crusoe/config", "crusoe config"):
        assert source in detail


def test_credentials_come_from_the_file_of_the_crusoe_cli(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """The profile that the block names goes before the environment."""
    (workspace.home / ".crusoe").mkdir()
    (workspace.home / ".crusoe" / "config").write_text(
        f'[work]\naccess_key_id = "{crusoe.user.access_key_id}"\n'
        f'secret_key = "{crusoe.user.secret_key}"\n'
        f'api_endpoint = "{crusoe.simulator.endpoint}"\n'
    )
    workspace.variables |= {"CRUSOE_ACCESS_KEY_ID": "CKIDOTHER", "CRUSOE_SECRET_KEY": "b3RoZXI"}
    workspace.write('provider "crusoe" {\n  profile = "work"\n}\n' + TOKEN)

    workspace.apply().succeeded()

    assert crusoe.aliases() == ["t"]


def no_organization(crusoe: Crusoe) -> dict[str, str]:
    return crusoe.variables(crusoe.simulator.cloud.add_user("nobody@acme.example"))


def two_organizations(crusoe: Crusoe) -> dict[str, str]:
    cloud = crusoe.simulator.cloud
    second = cloud.add_organization("second")
    return crusoe.variables(cloud.add_user("both@acme.example", crusoe.organization, second))


@pytest.mark.parametrize(
    ("variables", "named"),
    [(no_organization, "no active organization"), (two_organizations, "second")],
    ids=["none", "several"],
)
def test_an_organization_that_cannot_be_determined_is_an_error(
    workspace: Workspace,
    crusoe: Crusoe,
    variables: Callable[[Crusoe], dict[str, str]],
    named: str,
) -> None:
    """It lists those there are, and says where to choose one."""
    workspace.variables |= variables(crusoe)
    workspace.write(TOKEN)

    error = workspace.plan().failed_with("Organization not determined")

    assert named in error.detail
    assert "CRUSOE_ORGANIZATION_ID" in error.detail


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"CRUSOE_SECRET_KEY": "d3Jvbmc"}, ("401", "clock", "crusoe whoami")),
        ({"CRUSOE_ACCESS_KEY_ID": "CKIDNOBODY"}, ("401",)),
        ({"CRUSOE_API_ENDPOINT": "http://127.0.0.1:9/v1"}, ("network", "api_endpoint")),
        ({"CRUSOE_ORGANIZATION_ID": "11111111-0000-0000-0000-000000000000"}, ("403",)),
    ],
    ids=["wrong secret", "unknown key", "nobody there", "another organization"],
)
def test_an_account_that_does_not_answer_is_an_error_with_advice(
    workspace: Workspace, crusoe: Crusoe, changes: dict[str, str], words: tuple[str, ...]
) -> None:
    """And never quotes a secret."""
    workspace.variables |= changes
    workspace.write('provider "crusoe" {\n  max_retries = 0\n}\n' + TOKEN)
    workspace.write('data "crusoe_storage_tokens" "all" {}\n', name="data.tf")

    result = workspace.plan().failed()

    text = " ".join(error.detail for error in result.errors)
    assert all(word in text for word in words)
    assert workspace.variables["CRUSOE_SECRET_KEY"] not in result.text
    assert crusoe.simulator.cloud.keys() == []


def test_init_installs_the_plugin_from_a_mirror(crusoe: Crusoe, tmp_path: Path) -> None:
    """As users do, with a lock file."""
    with Workspace(tmp_path, plugin=PLUGIN, mirror=True, variables=crusoe.variables()) as workspace:
        workspace.write(TOKEN)
        workspace.init().succeeded()

        workspace.apply().succeeded()
        workspace.destroy().succeeded()

        assert "crusoe-community/crusoe" in (workspace.folder / ".terraform.lock.hcl").read_text()
    assert crusoe.simulator.cloud.keys() == []
