"""No wait is without an end of its own, whatever others do."""

import ast
from collections.abc import Iterator
from pathlib import Path

PROVIDER = Path(__file__).parents[2] / "provider" / "crusoe_provider"
WAITS = {"wait", "wait_for", "join", "acquire", "result"}
# How many arguments each has when it says how long at most.
WITH_AN_END = {"wait_for": 2}
# The process lives for as long as Terraform wants it, and a reservation waits inside of `wait`.
ALLOWED = {"self._over.wait()", "slot.wait()", "self._wait()"}


def endless_waits() -> Iterator[str]:
    for file in PROVIDER.rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            name = call.func.attr
            if name not in WAITS or isinstance(call.func.value, ast.Constant):
                continue
            if len(call.args) + len(call.keywords) < WITH_AN_END.get(name, 1):
                yield ast.unparse(call)


def test_every_wait_says_how_long_at_most() -> None:
    """Those that do not are the ones that are meant to last."""
    assert set(endless_waits()) <= ALLOWED
