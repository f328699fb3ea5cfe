"""A provider block that takes a setting from a resource to come: what needs it says so."""

import pytest

from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

SETTING = """
resource "terraform_data" "setting" {
  input = "%s"
}
"""
BLOCK = 'provider "crusoe" {\n  %s = terraform_data.setting.output\n  %s\n}\n'
ELEMENTS = {
    "data source": 'data "crusoe_storage_tokens" "all" {}\n',
    "ephemeral token": 'ephemeral "crusoe_storage_token" "e" {}\n',
    "import": (
        'resource "crusoe_storage_token" "t" {}\n'
        'import {\n  to = crusoe_storage_token.t\n  id = "CKIA0000000000000000"\n}\n'
    ),
}
NOT_KNOWN = {
    "organization_id": "Organization not known yet",
    "access_key_id": "Credentials not known yet",
}


@pytest.mark.parametrize("setting", NOT_KNOWN)
@pytest.mark.parametrize("element", ELEMENTS.values(), ids=ELEMENTS.keys())
def test_what_needs_an_unknown_setting_says_so_and_sends_nothing(
    workspace: Workspace, crusoe: Crusoe, setting: str, element: str
) -> None:
    """The environment's organization and credentials are never taken in its place."""
    workspace.variables["CRUSOE_ORGANIZATION_ID"] = crusoe.organization.id
    secret = f'secret_key = "{crusoe.user.secret_key}"' if setting == "access_key_id" else ""
    workspace.write(SETTING % "x" + BLOCK % (setting, secret) + element)

    workspace.plan().failed_with(NOT_KNOWN[setting])

    operations = [request.operation for request in crusoe.simulator.api.requests.all()]
    assert not {"list", "create"} & set(operations)
