"""What a run of Terraform printed, in a form that tests can ask about."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal, Self

Severity = Literal["error", "warning"]

# Terraform itself says so in every run of a plugin that was not installed by `terraform init`.
_OVERRIDES_IN_EFFECT: Final = "Provider development overrides are in effect"

_ACTIONS: Final = {
    ("no-op",): "no-op",
    ("create",): "create",
    ("read",): "read",
    ("update",): "update",
    ("delete",): "delete",
    ("forget",): "forget",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace, create first",
}

# What a run prints of a change. "replace" leaves open which half comes first.
_TOLD_EXACTLY: Final = frozenset({"create", "read", "update", "delete"})
_LEFT_AS_IT_IS: Final = frozenset({"noop", "move", "import"})

# What `terraform plan -detailed-exitcode` returns for a plan with changes.
_CHANGES: Final = 2
_HEADLINE: Final = re.compile(r"^(Error|Warning): (.*)$", re.MULTILINE)
_ADDRESS: Final = re.compile(r"^  with (.*),$", re.MULTILINE)
_SOURCE_LINE: Final = re.compile(r"^ +\d+: (.*)$", re.MULTILINE)
_ARGUMENT: Final = re.compile(r"^\s*([A-Za-z_][\w-]*)\s*=")


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """An error or a warning.

    Attributes:
        severity: `error` or `warning`.
        summary: Its headline.
        detail: Its text. Without `-json` Terraform breaks its lines at 78 characters.
        address: The resource, data source or provider that it concerns, if any.
        attribute: The argument of the configuration that it points at; `None` when it points at a
            whole block, which it also does for an argument that is not set.
    """

    severity: Severity
    summary: str
    detail: str
    address: str | None = None
    attribute: str | None = None


@dataclass(frozen=True)
class Result:
    """A finished run of Terraform.

    Attributes:
        args: The command and its arguments, without the executable.
        exit_code: The exit code; negative is the number of the signal that ended it.
        stdout: All it wrote to standard output.
        stderr: All it wrote to standard error.
        log: Terraform's own log, and the plugin's, if the run was asked for one.
        seconds: How long it took.
    """

    args: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str
    log: str = field(default="", repr=False)
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """All output."""
        return self.stdout + self.stderr

    @property
    def ok(self) -> bool:
        """Whether it succeeded; with `-detailed-exitcode`, changes in a plan are a success."""
        return self.exit_code == 0 or (
            self.exit_code == _CHANGES and "-detailed-exitcode" in self.args
        )

    @cached_property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Errors and warnings in the order of the output, but for the one on dev overrides."""
        if "-json" in self.args:
            found = [_from_json(document) for document in _json_diagnostics(self.stdout)]
        else:
            found = list(_from_text(self.text))
        return tuple(d for d in found if d.summary != _OVERRIDES_IN_EFFECT)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that are errors."""
        return tuple(d for d in self.diagnostics if d.severity == "error")

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that are warnings."""
        return tuple(d for d in self.diagnostics if d.severity == "warning")

    def succeeded(self) -> Self:
        """Assert that the run succeeded."""
        if not self.ok:
            raise AssertionError(f"expected success\n{self.report()}")
        return self

    def failed(self) -> Self:
        """Assert that the run failed, whatever it says."""
        if self.ok:
            raise AssertionError(f"expected a failure\n{self.report()}")
        return self

    def failed_with(
        self, summary: str, *, address: str | None = None, attribute: str | None = None
    ) -> Diagnostic:
        """Assert that the run failed with this error, and return it."""
        self.failed()
        return self._find(self.errors, summary, address, attribute)

    def warned_of(
        self, summary: str, *, address: str | None = None, attribute: str | None = None
    ) -> Diagnostic:
        """Assert that there was this warning, and return it."""
        return self._find(self.warnings, summary, address, attribute)

    def report(self) -> str:
        """Return the command and all it printed, for the message of a failed assertion."""
        return (
            f"terraform {' '.join(self.args)} -> exit code {self.exit_code}\n"
            f"--- stdout\n{_readable(self.stdout)}\n--- stderr\n{self.stderr}"
        )

    def _find(
        self,
        among: tuple[Diagnostic, ...],
        summary: str,
        address: str | None,
        attribute: str | None,
    ) -> Diagnostic:
        for diagnostic in among:
            if (
                diagnostic.summary == summary
                and address in {None, diagnostic.address}
                and attribute in {None, diagnostic.attribute}
            ):
                return diagnostic
        wanted = ", ".join(str(part) for part in (summary, address, attribute) if part)
        raise AssertionError(f"expected: {wanted}\n{self.report()}")


@dataclass(frozen=True, slots=True)
class Change:
    """What a plan is going to do to one resource.

    Attributes:
        address: Its address.
        action: `no-op`, `create`, `read`, `update`, `delete`, `forget`, `replace`, or
            `replace, create first`.
        before: Its values now; `None` if there is none.
        after: Its values then, as far as they are known; `None` if there will be none.
        unknown: Names of the attributes that are known after the apply only.
        replaced_because_of: Names of the attributes that make a replacement necessary.
        reason: Terraform's word for why, such as `replace_because_tainted`.
        importing: The ID it is imported by, if it is.
        previous_address: Where it was before a `moved` block, if it was.
    """

    address: str
    action: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    unknown: frozenset[str]
    replaced_because_of: frozenset[str]
    reason: str | None
    importing: str | None
    previous_address: str | None


@dataclass(frozen=True)
class Plan(Result):
    """A finished `terraform plan`.

    Attributes:
        show: Reads the plan file as `terraform show -json` does. It starts Terraform once more,
            so it is called only when somebody asks.
    """

    show: Callable[[], dict[str, Any]] = field(kw_only=True, repr=False)

    @cached_property
    def document(self) -> dict[str, Any]:
        """The plan as `terraform show -json` gives it."""
        self.succeeded()
        return self.show()

    @cached_property
    def changes(self) -> dict[str, Change]:
        """What it is going to do, by address, including nothing."""
        changes = map(_change, self.document.get("resource_changes", []))
        return {change.address: change for change in changes}

    @cached_property
    def actions(self) -> dict[str, str]:
        """The action on each resource that is not left as it is, by address.

        Mostly the run has told already, and Terraform need not be started once more.
        """
        self.succeeded()
        told = self._told()
        if told is not None:
            return told
        return {a: change.action for a, change in self.changes.items() if change.action != "no-op"}

    def _told(self) -> dict[str, str] | None:
        """Return the actions as the run printed them; `None` if it did not, or not exactly."""
        if "-json" not in self.args:
            return None
        lines = [line for line in _json_lines(self.stdout) if line.get("type") == "planned_change"]
        changes = [line["change"] for line in lines]
        if not {change["action"] for change in changes} <= _TOLD_EXACTLY | _LEFT_AS_IT_IS:
            return None
        return {
            change["resource"]["addr"]: change["action"]
            for change in changes
            if change["action"] not in _LEFT_AS_IT_IS
        }


def _change(document: Mapping[str, Any]) -> Change:
    change = document["change"]
    unknown = change.get("after_unknown") or {}
    return Change(
        address=document["address"],
        action=_ACTIONS[tuple(change["actions"])],
        before=change["before"],
        after=change["after"],
        unknown=frozenset(name for name, value in unknown.items() if value is True),
        replaced_because_of=frozenset(path[0] for path in change.get("replace_paths", [])),
        reason=document.get("action_reason"),
        importing=(change.get("importing") or {}).get("id"),
        previous_address=document.get("previous_address"),
    )


def _json_lines(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        try:
            document = json.loads(line)
        except ValueError:  # an interrupted run may have been cut, and a few messages are plain
            continue
        if isinstance(document, dict):
            yield document


def _json_diagnostics(text: str) -> list[dict[str, Any]]:
    try:
        document = json.loads(text)
    except ValueError:
        # One message per line, as most commands print.
        return [line["diagnostic"] for line in _json_lines(text) if "diagnostic" in line]
    # A single document, as `validate` prints; or a single line.
    if "diagnostic" in document:
        return [document["diagnostic"]]
    diagnostics: list[dict[str, Any]] = document.get("diagnostics", [])
    return diagnostics


def _from_json(document: Mapping[str, Any]) -> Diagnostic:
    snippet = document.get("snippet")
    return Diagnostic(
        severity=document["severity"],
        summary=document["summary"],
        detail=document.get("detail", ""),
        address=document.get("address"),
        attribute=_argument(snippet["code"]) if snippet else None,
    )


def _from_text(text: str) -> Iterator[Diagnostic]:
    headlines = list(_HEADLINE.finditer(text))
    starts = [headline.start() for headline in headlines] + [len(text)]
    for headline, end in zip(headlines, starts[1:], strict=True):
        body = text[headline.end() : end].strip("\n")
        # First an indented paragraph on where it is, if that is known.
        where, _, detail = body.partition("\n\n") if body.startswith("  ") else ("", "", body)
        address = _ADDRESS.search(where)
        code = _SOURCE_LINE.search(where)
        yield Diagnostic(
            severity="error" if headline[1] == "Error" else "warning",
            summary=headline[2],
            detail=detail.strip("\n"),
            address=address[1] if address else None,
            attribute=_argument(code[1]) if code else None,
        )


def _argument(code: str) -> str | None:
    found = _ARGUMENT.match(code)
    return found[1] if found else None


def _readable(stdout: str) -> str:
    """Return JSON lines as the messages they hold, each diagnostic with its detail."""
    lines = list(_json_lines(stdout))
    if not lines or "@message" not in lines[0]:
        return stdout
    return "\n".join(
        "\n  ".join(filter(None, (line["@message"], line.get("diagnostic", {}).get("detail"))))
        for line in lines
    )
