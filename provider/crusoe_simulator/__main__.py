"""`python -m crusoe_simulator`: the simulator, or a command for one that runs."""

import sys
from collections.abc import Sequence

from crusoe_simulator import keys_command

_EXTRA = "The simulator needs more packages: pip install 'terraform-provider-crusoe[simulator]'"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if words[:1] == ["keys"]:
            _say(keys_command.run(words[1:]))
            return 0
        # Here, because what this needs is an extra, and may be missing.
        from crusoe_simulator import serving  # noqa: PLC0415

        return serving.main(words, say=_say)
    except keys_command.CommandError as error:
        print(error, file=sys.stderr)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("crusoe_simulator"):
            raise
        print(_EXTRA, file=sys.stderr)
    return 1


def _say(text: str) -> None:
    # At once: whoever has started this waits for it, at the other end of a pipe.
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
