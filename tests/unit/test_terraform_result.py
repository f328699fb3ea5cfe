"""How the test harness reads what Terraform prints."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.result import Diagnostic, Plan, Result

TEXT = """\
crusoe_storage_token.a: Creating...

Warning: Provider development overrides are in effect

The following provider development overrides are set.

Warning: Token expires soon

  with crusoe_storage_token.a,
  on main.tf line 2, in resource "crusoe_storage_token" "a":
   2:   expires_at = "2027-01-31T12:00:00Z"

In three days.

Error: Missing access key

  with provider["registry.terraform.io/crusoe-community/crusoe"],
  on main.tf line 9, in provider "crusoe":
   9: provider "crusoe" {
    ├────────────────
    │ var.a is "x"

Set access_key_id here.

Or in the environment.
"""


def test_diagnostics_are_read_from_text() -> None:
    """Where they stand, what they concern and what they point at; not Terraform's own warning."""
    result = Result(("apply",), 1, "", TEXT)

    assert result.diagnostics == (
        Diagnostic(
            "warning",
            "Token expires soon",
            "In three days.",
            "crusoe_storage_token.a",
            "expires_at",
        ),
        Diagnostic(
            "error",
            "Missing access key",
            "Set access_key_id here.\n\nOr in the environment.",
            'provider["registry.terraform.io/crusoe-community/crusoe"]',
        ),
    )


diagnostics = st.builds(
    Diagnostic,
    severity=st.sampled_from(["error", "warning"]),
    summary=st.text(min_size=1),
    detail=st.text(),
    address=st.none() | st.text(min_size=1),
)


@given(st.lists(diagnostics), st.booleans())
def test_diagnostics_are_read_from_json(expected: list[Diagnostic], one_document: bool) -> None:
    """From one document, as `validate` prints it, and from a line for each, as `plan` does."""
    documents = [
        {"severity": d.severity, "summary": d.summary, "detail": d.detail, "address": d.address}
        for d in expected
    ]
    lines = [{"@message": "Terraform", "type": "version"}] + [
        {"@message": "Error", "type": "diagnostic", "diagnostic": d} for d in documents
    ]
    output = (
        json.dumps({"valid": False, "diagnostics": documents}, indent=2)
        if one_document
        else "\n".join(map(json.dumps, lines))
    )

    result = Result(("plan", "-json"), 1, output, "")

    assert result.diagnostics == tuple(expected)


def test_lines_that_are_no_json_are_passed_over() -> None:
    """An interrupted run may end in the middle of a line."""
    whole = '{"@message": "Error: x", "diagnostic": {"severity": "error", "summary": "x"}}'
    result = Result(("apply", "-json"), 1, f'{whole}\nInterrupt received.\n{{"@mess', "")

    assert [error.summary for error in result.errors] == ["x"]


@pytest.mark.parametrize(
    ("args", "exit_code", "ok"),
    [
        (("plan",), 0, True),
        (("plan",), 1, False),
        (("plan",), 2, False),
        (("plan", "-detailed-exitcode"), 2, True),
        (("plan", "-detailed-exitcode"), 1, False),
        (("apply",), -9, False),
    ],
)
def test_success_is_told_by_the_exit_code(args: tuple[str, ...], exit_code: int, ok: bool) -> None:
    """With `-detailed-exitcode`, 2 means that there are changes."""
    assert Result(args, exit_code, "", "").ok is ok


def test_the_right_diagnostic_is_found_among_several() -> None:
    """Summary, address and argument must fit, as far as they are given."""
    result = Result(("apply",), 1, "", TEXT)

    assert result.failed_with("Missing access key").attribute is None
    assert result.warned_of("Token expires soon", attribute="expires_at").detail == "In three days."
    with pytest.raises(AssertionError, match="expected: Token expires soon, crusoe_storage_token"):
        result.warned_of("Token expires soon", address="crusoe_storage_token.b")
    with pytest.raises(AssertionError, match="expected: Token expires soon"):
        result.failed_with("Token expires soon")


def planned(*actions: str, shown: dict[str, object]) -> Plan:
    """Return a plan whose run has told of changes, and whose file holds `shown`."""
    lines = [
        {"type": "planned_change", "change": {"resource": {"addr": f"r.{n}"}, "action": action}}
        for n, action in enumerate(actions)
    ]
    stdout = "\n".join(json.dumps(line) for line in lines)
    return Plan(("plan", "-json"), 0, stdout, "", show=lambda: shown)


def test_actions_are_what_the_run_has_told() -> None:
    """But for what leaves an object as it is."""
    plan = planned("create", "noop", "update", "move", "delete", "import", "read", shown={})

    assert plan.actions == {"r.0": "create", "r.2": "update", "r.4": "delete", "r.6": "read"}


@pytest.mark.parametrize("word", ["replace", "remove", "something new"])
def test_where_the_run_leaves_it_open_the_plan_is_read(word: str) -> None:
    """Which half of a replacement comes first, and what no version has said so far."""
    change = {"actions": ["create", "delete"], "before": {}, "after": {}}

    plan = planned(
        "create", word, shown={"resource_changes": [{"address": "r.1", "change": change}]}
    )

    assert plan.actions == {"r.1": "replace, create first"}


def test_a_plan_that_failed_has_no_actions() -> None:
    """Whoever asks for them learns why."""
    plan = Plan(("plan", "-json"), 1, "", "", show=dict)

    with pytest.raises(AssertionError, match="expected success"):
        _ = plan.actions
