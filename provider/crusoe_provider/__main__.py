"""The executable `terraform-provider-crusoe`."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from crusoe_provider.providerserver import quick_start

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from crusoe_provider.provider.provider import CrusoeProvider
    from crusoe_provider.providerserver.terraform import Terraform


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve Terraform, or do what a person asks for; return the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments:
        return _serve()
    # Not before: it is no business of Terraform's, who waits for the handshake.
    from crusoe_provider.cli.command_line import run  # noqa: PLC0415

    return run(arguments)


def _serve() -> int:
    if os.name == "nt":
        print("Windows is not supported; run Terraform in WSL instead.", file=sys.stderr)
        return 1
    _isolate()
    # grpc reads it while it is imported: only its errors belong into Terraform's log.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    quick_start.begin()
    try:
        # Not before: the command line needs nothing of it.
        from crusoe_provider.providerserver.serve import (  # noqa: PLC0415
            NotStartedByTerraformError,
            serve,
        )

        try:
            serve(_new_provider)
        except NotStartedByTerraformError:
            from crusoe_provider.cli.command_line import usage  # noqa: PLC0415 - see main

            print(usage(), file=sys.stderr)
            return 1
    except (ImportError, MemoryError) as exc:
        # A broken installation, or no room. Nothing is served yet that could have a secret.
        print(f"The plugin cannot start: {type(exc).__name__} {exc}".rstrip(), file=sys.stderr)
        sys.stderr.flush()
        os._exit(1)
    # Terraform waits for the end of this process. All is done, and taking the interpreter down in
    # good order would take longer than many a call.
    sys.stderr.flush()
    os._exit(0)


def _isolate() -> None:
    """Take the folders of PYTHONPATH out of the search for modules.

    They are for the user's own programs: a `tf.py` there would be taken for the framework. The
    launcher that `install` writes starts isolated; the script that pip writes does not.
    """
    given = {os.path.abspath(f) for f in os.environ.get("PYTHONPATH", "").split(os.pathsep)}  # noqa: PTH100 - quick
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    if not sys.flags.ignore_environment and "PYTHONPATH" in os.environ:
        sys.path[:] = [f for f in sys.path if os.path.abspath(f) not in given - {ours}]  # noqa: PTH100


def _new_provider(stop: "threading.Event", terraform: "Terraform") -> "CrusoeProvider":
    from crusoe_provider.provider.provider import CrusoeProvider  # noqa: PLC0415 - see _serve

    return CrusoeProvider(stop=stop, environ=os.environ, home=_home(), terraform=terraform)


def _home() -> "Path | None":
    from pathlib import Path  # noqa: PLC0415 - see _serve

    try:
        return Path.home()
    except RuntimeError:  # neither HOME nor an entry in the password database
        return None


if __name__ == "__main__":
    sys.exit(main())
