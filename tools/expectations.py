"""How the demonstration stops when something is not as it should be."""


class DemoError(Exception):
    """The demonstration cannot go on, or something is not as it should be."""


def expect(condition: bool, otherwise: str) -> None:
    """Stop the demonstration with the message `otherwise` unless `condition` holds.

    Raises:
        DemoError: It does not hold.
    """
    if not condition:
        raise DemoError(otherwise)
