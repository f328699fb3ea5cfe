"""The simulator as a program that serves until a signal comes."""

import argparse
import json
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from crusoe_simulator import control
from crusoe_simulator.dialects import explained
from crusoe_simulator.keys_command import CONTROL_VARIABLE
from crusoe_simulator.server import Simulator
from crusoe_simulator.speech import Speech, names_in
from crusoe_simulator.state import User

_DESCRIPTION = """\
A local Crusoe Cloud API for tests and demos: organizations, users and Object Storage keys, with
signatures verified and the documented rules enforced. It listens on 127.0.0.1 only and ends on
Ctrl-C or SIGTERM. When it is ready it prints one line of JSON: endpoint, access_key_id and
secret_key to use it with; control, the base URL of its control interface; and with --s3
s3_endpoint, where the keys that it issues open buckets.

`keys list`, `keys create` and `keys delete` are for the keys of a simulator that runs, as the
console would be: see `python -m crusoe_simulator keys --help`.
"""

_REGION = "us-east-1"
# The signals that end it.
_ENDS = (signal.SIGINT, signal.SIGTERM)


def main(arguments: Sequence[str], *, say: Callable[[str], None]) -> int:
    """Serve until a signal comes; return the exit code.

    Args:
        arguments: The command line.
        say: Prints what is to be used, when it is ready.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    # Blocked before there is another thread, and taken by the wait below. A handler might run just
    # before its thread begins to wait, and would not end that.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    try:
        speech = Speech(name for text in options.dialect for name in names_in(text))
    except ValueError as error:
        parser.error(str(error))
    simulator = Simulator(
        port=options.port,
        key_limit=options.key_limit,
        list_scope=options.list_scope,
        latency=options.latency / 1000,
        file=options.state,
        s3=options.s3,
        dialects=speech.names,
    )
    user = _first_user(simulator, options.organization, options.user)
    with simulator:
        say(_exports(simulator, user) if options.print_exports else _ready(simulator, user))
        signal.sigwait(_ENDS)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m crusoe_simulator",
        description=_DESCRIPTION,
        epilog=f"dialects (NAME after --dialect):\n{explained()}\n\n{control.__doc__}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="port; 0, the default, for a free one")
    parser.add_argument("--state", type=Path, help="file to keep the state in")
    parser.add_argument("--organization", default="Example Organization", help="its name")
    parser.add_argument("--user", default="you@example.com", help="e-mail address of the user")
    parser.add_argument("--key-limit", type=int, default=2, help="keys per user, default 2")
    parser.add_argument(
        "--list-scope",
        choices=["organization", "caller"],
        default="organization",
        help="whose keys a list shows",
    )
    parser.add_argument("--latency", type=float, default=0, help="milliseconds per request")
    parser.add_argument("--s3", action="store_true", help="serve S3 too, on a port of its own")
    parser.add_argument(
        "--dialect",
        metavar="NAME",
        action="append",
        default=[],
        help="speak a dialect, see below; several with commas, or with the option again",
    )
    parser.add_argument(
        "--print-exports", action="store_true", help="print shell exports instead of JSON"
    )
    return parser


def _first_user(simulator: Simulator, organization: str, email: str) -> User:
    """Return the user of a state that was kept, or a new one."""
    if simulator.cloud.users:
        return simulator.cloud.users[0]
    return simulator.cloud.add_user(email, simulator.cloud.add_organization(organization))


def _ready(simulator: Simulator, user: User) -> str:
    return json.dumps(
        {
            "endpoint": simulator.endpoint,
            "access_key_id": user.access_key_id,
            "secret_key": user.secret_key,
            "control": simulator.control,
        }
        | ({"s3_endpoint": simulator.s3_endpoint} if simulator.s3_endpoint else {})
    )


def _exports(simulator: Simulator, user: User) -> str:
    values = {
        "CRUSOE_API_ENDPOINT": simulator.endpoint,
        "CRUSOE_ACCESS_KEY_ID": user.access_key_id,
        "CRUSOE_SECRET_KEY": user.secret_key,
        CONTROL_VARIABLE: simulator.control,
    }
    if simulator.s3_endpoint:
        # Clients sign for a region, and some look for one in the cloud unless they are told.
        values |= {"AWS_ENDPOINT_URL_S3": simulator.s3_endpoint, "AWS_REGION": _REGION}
    return "\n".join(f"export {name}='{value}'" for name, value in values.items())
