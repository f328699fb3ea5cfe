"""The executable `terraform-provider-crusoe`.

It begins as the launcher of warm starts, so until that has given up nothing is imported here that
Python has not loaded by itself.
"""

import sys

# For the type checker; the module `typing` takes long to load.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from _socket import socket
    from collections.abc import Sequence
    from pathlib import Path

    from crusoe_provider.provider.provider import CrusoeProvider
    from crusoe_provider.providerserver.terraform import Terraform

_WARM_START = b"CRUSOE_WARM_START"


def main(arguments: "Sequence[str] | None" = None) -> int:
    """Serve Terraform, or do what a person asks for; return the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments:
        return _serve()
    # Not before: it is no business of Terraform's, who waits for the handshake.
    from crusoe_provider.cli.command_line import run  # noqa: PLC0415

    return run(arguments)


def _serve() -> int:
    if sys.platform == "win32":
        print("Windows is not supported; run Terraform in WSL instead.", file=sys.stderr)
        return 1
    if not sys.flags.ignore_environment:
        _isolate()
    bound = _launch()
    import os  # noqa: PLC0415 - see above

    # grpc reads it while it is imported: only its errors belong into Terraform's log.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    from crusoe_provider.providerserver import quick_start  # noqa: PLC0415 - see above

    quick_start.begin()
    try:
        # Not before: the command line needs nothing of it.
        from crusoe_provider.providerserver.serve import (  # noqa: PLC0415
            NotStartedByTerraformError,
            WarmStart,
            serve,
        )

        warm_start = (
            WarmStart(bound, _load_provider, (_load_client, _read_authorities)) if bound else None
        )
        try:
            serve(new_provider, warm_start=warm_start)
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
    return os._exit(0)


def _launch() -> "socket | None":
    """Serve by a process that is ready, if there is one; or return, see `launch`."""
    import posix  # noqa: PLC0415 - Windows has none

    if posix.environ.get(_WARM_START) == b"0":
        return None
    from crusoe_provider.providerserver.warm_start.launcher import launch  # noqa: PLC0415 - see above

    return launch()


def _isolate() -> None:
    """Take the folders of PYTHONPATH out of the search for modules.

    They are for the user's own programs: a `tf.py` there would be taken for the framework. The
    launcher that `install` writes starts isolated; the script that pip writes does not.
    """
    import os  # noqa: PLC0415 - Python has loaded it where it does not start isolated

    given = {os.path.abspath(f) for f in os.environ.get("PYTHONPATH", "").split(os.pathsep)}  # noqa: PTH100 - quick
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    if "PYTHONPATH" in os.environ:
        sys.path[:] = [f for f in sys.path if os.path.abspath(f) not in given - {ours}]  # noqa: PTH100


def _load_provider() -> None:
    from crusoe_provider.provider import provider  # noqa: F401, PLC0415 - see above


def _load_client() -> None:
    """Load what is needed from `ConfigureProvider` on, and what the first request needs."""
    import encodings.idna  # noqa: F401, PLC0415

    from crusoe_provider.api import account, client  # noqa: F401, PLC0415
    from crusoe_provider.provider import configuration, profiles, provider_block  # noqa: F401, PLC0415


def _read_authorities() -> None:
    """Read the certificates that vouch for Crusoe's, unless a local endpoint needs none."""
    import os  # noqa: PLC0415 - see above

    from crusoe_provider.api.tls import read_ahead  # noqa: PLC0415

    if not os.environ.get("CRUSOE_API_ENDPOINT", "").startswith("http://"):
        read_ahead(os.environ)


def new_provider(stop: "threading.Event", terraform: "Terraform") -> "CrusoeProvider":
    """Return the provider, with this process's environment and its user's home folder."""
    import os  # noqa: PLC0415 - see above

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
