"""Lists, look-ups and functions."""

import sys

import pytest

from crusoe_simulator.state import Key
from harness.workspace import Workspace
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance


@pytest.fixture
def keys(crusoe: Crusoe) -> dict[str, Key]:
    """Keys of two users, by alias."""
    cloud = crusoe.simulator.cloud
    other = cloud.add_user("ops@acme.example", crusoe.organization)
    made = [
        cloud.add_key(crusoe.user, alias="mine", created_at="2026-01-02T00:00:00Z"),
        cloud.add_key(
            other,
            alias="expired",
            created_at="2026-01-01T00:00:00Z",
            expire_at="2026-01-03T00:00:00Z",
        ),
        cloud.add_key(other, alias="twin", created_at="2026-01-03T00:00:00Z", status="disabled"),
        cloud.add_key(other, alias="twin", created_at="2026-01-04T00:00:00Z"),
    ]
    return {key.alias: key for key in made}


FILTERS = [
    ("", ["expired", "mine", "twin", "twin"]),
    ("mine = true", ["mine"]),
    ("mine = false", ["expired", "mine", "twin", "twin"]),
    ('alias = "twin"', ["twin", "twin"]),
    ('alias = "twin"\n  status = "enabled"', ["twin"]),
    ('alias = "nobody\'s"', []),
    ('user_id = "{user}"', ["mine"]),
]


def test_filters(
    workspace: Workspace, crusoe: Crusoe, keys: dict[str, Key], subtests: pytest.Subtests
) -> None:
    """They narrow the list down, not the quota of the caller."""
    assert keys
    workspace.write(
        "".join(
            f"""
            data "crusoe_storage_tokens" "some{n}" {{
              {filters.format(user=crusoe.user.id)}
            }}
            output "some{n}" {{
              value = data.crusoe_storage_tokens.some{n}
            }}
            """
            for n, (filters, _) in enumerate(FILTERS)
        )
    )

    workspace.apply().succeeded()

    outputs = workspace.output_json()
    for n, (filters, aliases) in enumerate(FILTERS):
        with subtests.test(filters):
            some = outputs[f"some{n}"]
            assert [token["alias"] for token in some["tokens"]] == aliases
            assert [t["alias"] for t in some["tokens"] if t["expired"]] == [
                alias for alias in aliases if alias == "expired"
            ]
            assert (some["key_limit"], some["keys_used"], some["keys_available"]) == (2, 1, 1)


def test_a_check_can_watch_the_quota_and_expiries(
    workspace: Workspace, keys: dict[str, Key]
) -> None:
    """As users write it; the assertion that fails is a warning of the plan."""
    assert keys
    workspace.write(
        """
        data "crusoe_storage_tokens" "all" {}
        check "tokens" {
          assert {
            condition     = data.crusoe_storage_tokens.all.keys_available >= 1
            error_message = "no slot is free"
          }
          assert {
            condition     = !anytrue(data.crusoe_storage_tokens.all.tokens[*].expired)
            error_message = "a token has expired"
          }
        }
        """
    )

    plan = workspace.plan().succeeded()

    assert [w.detail.strip() for w in plan.warnings] == ["a token has expired"]


def test_what_a_program_has_changed_in_this_apply_is_shown(
    workspace: Workspace, crusoe: Crusoe
) -> None:
    """By a list and by a look-up, however short a time ago the process has read the keys."""
    theirs = crusoe.simulator.cloud.add_key(crusoe.user, alias="twin")
    url = f"{crusoe.simulator.control}/keys/{theirs.key_uuid}"
    program = f"import urllib.request as u; u.urlopen(u.Request('{url}', method='DELETE'))"
    workspace.write(
        f"""
        resource "crusoe_storage_token" "twin" {{
          alias = "twin"
        }}
        data "crusoe_storage_tokens" "before" {{
          alias = crusoe_storage_token.twin.access_key_id == "" ? "" : "twin"
        }}
        resource "terraform_data" "program" {{
          triggers_replace = data.crusoe_storage_tokens.before.keys_used
          provisioner "local-exec" {{
            interpreter = ["{sys.executable}", "-c"]
            command     = "{program}"
          }}
        }}
        data "crusoe_storage_tokens" "after" {{
          alias = terraform_data.program.id == "" ? "" : "twin"
        }}
        data "crusoe_storage_token" "twin" {{
          alias = terraform_data.program.id == "" ? "" : "twin"
        }}
        output "found" {{
          value = [
            data.crusoe_storage_tokens.before.keys_used,
            data.crusoe_storage_tokens.after.keys_used,
            data.crusoe_storage_token.twin.access_key_id == crusoe_storage_token.twin.access_key_id,
          ]
        }}
        """
    )

    workspace.apply().succeeded()

    assert workspace.output_json()["found"] == [2, 1, True]


def test_one_token_is_looked_up(workspace: Workspace, keys: dict[str, Key]) -> None:
    """By whatever is known of it; its secret is not part of it."""
    key = keys["expired"]
    values = {"id": key.key_uuid, "access_key_id": key.access_key_id, "alias": key.alias}
    workspace.write(
        "".join(
            f"""
            data "crusoe_storage_token" "by_{name}" {{
              {name} = "{value}"
            }}
            output "by_{name}" {{
              value = data.crusoe_storage_token.by_{name}
            }}
            """
            for name, value in values.items()
        )
    )

    workspace.apply().succeeded()

    for name, one in workspace.output_json().items():
        assert (one["id"], one["access_key_id"]) == (key.key_uuid, key.access_key_id), name
        assert (one["alias"], one["expired"], one["user_id"]) == ("expired", True, key.user_id)
        assert "secret_key" not in one


def test_none_or_several_are_an_error_with_the_candidates(
    workspace: Workspace, keys: dict[str, Key], subtests: pytest.Subtests
) -> None:
    """On the attribute that was looked for."""
    assert keys
    cases = [
        ('alias = "twin"', "Several storage tokens match", "disabled"),
        ('alias = "typo"', "Storage token not found", '"mine"'),
        ('id = "typo"', "Storage token not found", '"mine"'),
    ]
    workspace.write(
        "".join(
            f'data "crusoe_storage_token" "n{n}" {{\n  {line}\n}}\n'
            for n, (line, _, _) in enumerate(cases)
        )
    )

    plan = workspace.plan()

    for n, (line, summary, named) in enumerate(cases):
        with subtests.test(line):
            error = plan.failed_with(
                summary,
                address=f"data.crusoe_storage_token.n{n}",
                attribute=line.split(" ", maxsplit=1)[0],
            )
            assert named in error.detail


def test_one_way_to_look_it_up_is_needed(workspace: Workspace) -> None:
    """Not none, and not two."""
    workspace.write(
        'data "crusoe_storage_token" "none" {}\n'
        'data "crusoe_storage_token" "two" {\n  id = "x"\n  alias = "y"\n}\n'
    )

    validated = workspace.validate()

    for name in ("none", "two"):
        address = f"data.crusoe_storage_token.{name}"
        validated.failed_with("Not one way to find the token", address=address)


def test_twenty_thousand_keys_are_listed(workspace: Workspace, crusoe: Crusoe) -> None:
    """No limit of gRPC is felt, and the token is found among them."""
    # To hold each of them to the contract would take half a minute.
    crusoe.simulator.api.observers.clear()
    cloud = crusoe.simulator.cloud
    other = cloud.add_user("ops@acme.example", crusoe.organization)
    for n in range(20_000):
        cloud.add_key(other, alias=f"key-{n}")
    workspace.write(
        """
        resource "crusoe_storage_token" "t" {
          alias = "mine"
        }
        data "crusoe_storage_tokens" "all" {
          depends_on = [crusoe_storage_token.t]
        }
        output "count" {
          value = length(data.crusoe_storage_tokens.all.tokens)
        }
        """
    )

    workspace.apply().succeeded()

    assert workspace.output_json() == {"count": 20_001}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            '"AK", "SK/+", "default"',
            "[default]\naws_access_key_id = AK\naws_secret_access_key = SK/+\n",
        ),
        ('"", "SK", "default"', None),
        ('"AK", "S K", "default"', None),
        (r'"AK", "SK\n[x]", "default"', None),
        ('"AK", "SK", "a]b"', None),
    ],
)
def test_credentials_files_are_written(
    workspace: Workspace, arguments: str, expected: str | None
) -> None:
    """Offline, without credentials; what would break the file is refused without being quoted."""
    workspace.variables.clear()
    workspace.write(
        f"""
        output "file" {{
          value = provider::crusoe::credentials_file({arguments})
        }}
        """
    )

    result = workspace.apply()

    if expected is None:
        assert "S K" not in result.failed().errors[0].detail
    else:
        result.succeeded()
        assert workspace.output_json() == {"file": expected}
