"""What can come of a deletion. Apart from the rest, as it costs nothing to import."""

from enum import Enum, auto


class DeletionAnswer(Enum):
    """What the API says to a deletion."""

    DELETED = auto()
    """204, as documented: the key is gone."""
    ACCEPTED = auto()
    """Another 2xx, or a 404 after an attempt whose answer was lost; the list decides."""
    NOT_FOUND = auto()
    """Crusoe's own 404: there is no such key, as far as this user can see."""


class Deletion(Enum):
    """What came of a deletion; either way the key is gone."""

    DELETED = auto()
    """It was there, and this process has deleted it."""
    ALREADY_GONE = auto()
    """There was no such key, as far as this user can see."""
