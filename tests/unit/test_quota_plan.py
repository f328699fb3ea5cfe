"""Whether a token gets another organization; an empty text stands for the default one."""

from typing import Any

import pytest
from tf.types import Unknown

from crusoe_provider.provider.quota_plan import moves
from crusoe_provider.tokens.errors import NotKnownYet


class Session:
    """A session with a default organization, if it is known."""

    def __init__(self, default: str | None) -> None:
        self._default = default

    def organization_id(self, given: str | None) -> str:
        """Return the default one."""
        if self._default is None:
            raise NotKnownYet("organization_id")
        assert given is None
        return self._default


@pytest.mark.parametrize(
    ("before", "after", "remembered", "default", "expected"),
    [
        ("A", "A", None, "B", False),
        ("A", "B", None, "B", True),
        ("A", Unknown, None, "A", True),
        ("A", "", None, "A", False),
        ("A", "", None, "B", True),
        ("", "A", None, "A", False),
        ("", "B", None, "A", True),
        ("", "", None, "A", False),
        ("", "", "A", "A", False),
        # The provider has got another default one since. What says nothing new stays.
        ("", "", "A", "B", False),
        ("", "B", "A", "B", True),
        ("", "A", "A", "B", False),
        (None, "A", None, "A", False),
        # Nobody knows which one is the default: what is planned is what the apply may do.
        ("", "", None, None, False),
        ("", "", "A", None, False),
        ("A", "", None, None, True),
        ("", "B", None, None, True),
        ("", "A", "A", None, False),
        (None, "", None, None, False),
    ],
)
def test_a_token_moves_when_its_organization_is_another_one(
    before: str | None,
    after: Any,
    remembered: str | None,
    default: str | None,
    expected: bool,
) -> None:
    """Without a session no default is known either."""
    sessions: list[Any] = [Session(default), *([None] if default is None else [])]

    for session in sessions:
        assert moves(session, before, after, remembered=remembered) is expected
