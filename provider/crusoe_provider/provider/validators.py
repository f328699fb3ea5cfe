"""Checks that several blocks share. Pure: a value in, what is wrong with it out."""

import re
from typing import Final

# What can be one segment of a path as it stands, and cannot break a line.
_ORGANIZATION_ID: Final = re.compile(r"(?!\.{1,2}$)[!-~]{1,128}")
_NOT_IN_A_SEGMENT: Final = frozenset("/\\?#%")


def organization_id_problem(text: str) -> str | None:
    """Return what is wrong with an organization ID, in a sentence, or `None`.

    Its form is not promised, so only what can be no ID is refused: blanks, control characters,
    characters other than ASCII, steps in a path, and more than 128 characters.
    """
    if _ORGANIZATION_ID.fullmatch(text) and not _NOT_IN_A_SEGMENT & set(text):
        return None
    return (
        "An organization ID is a UUID such as ab4a6b00-aa5f-408e-a9fb-ac6de5eb45ab, without "
        "blanks, slashes and special characters."
    )
