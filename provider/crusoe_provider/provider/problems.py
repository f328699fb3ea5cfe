"""What is wrong with the settings that a user has made."""

from collections.abc import Sequence
from typing import NamedTuple


class Problem(NamedTuple):
    """One thing that is wrong with the configuration.

    Attributes:
        summary: What is wrong, without values.
        detail: What was found, and what to do.
        attribute: The argument of the provider block to blame, if one is.
    """

    summary: str
    detail: str
    attribute: str | None = None


class ConfigurationError(Exception):
    """The configuration cannot be used.

    Attributes:
        problems: Everything that is wrong with it, at once.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(" ".join(f"{p.summary}: {p.detail}" for p in problems))
        self.problems = tuple(problems)
