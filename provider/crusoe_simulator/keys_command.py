"""`python -m crusoe_simulator keys`: storage keys, as somebody in the console handles them.

These commands go to the control interface of a simulator that runs, past the rules of the API and
behind the back of Terraform.
"""

import argparse
import json
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any, Final

CONTROL_VARIABLE: Final = "CRUSOE_SIMULATOR_CONTROL"
_COLUMNS: Final = {
    "TOKEN ID": "key_uuid",
    "ACCESS KEY ID": "access_key_id",
    "STATUS": "status",
    "CREATED": "created_at",
    "EXPIRES": "expire_at",
    "ALIAS": "alias",
}
_TIMEOUT_SECONDS: Final = 10.0


class CommandError(Exception):
    """The command cannot be carried out; the message is for people."""


def run(arguments: Sequence[str]) -> str:
    """Carry a command out; return what to show.

    Raises:
        CommandError: It cannot be carried out.
    """
    options = _parser().parse_args(arguments)
    shown: str = options.run(options)
    return shown


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m crusoe_simulator keys",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument(
        "--control",
        metavar="URL",
        default=os.environ.get(CONTROL_VARIABLE),
        help=f"base URL of the control interface; {CONTROL_VARIABLE} by default",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("list", parents=[where], help="show all keys")
    listing.set_defaults(run=_list)
    creation = commands.add_parser(
        "create", parents=[where], help="create a key, and show its secret this once"
    )
    creation.add_argument("--alias", default="", help="its label")
    creation.add_argument("--user", metavar="EMAIL", help="its owner; the first user by default")
    creation.set_defaults(run=_create)
    deletion = commands.add_parser("delete", parents=[where], help="delete a key")
    deletion.add_argument("id", metavar="ID", help="its token ID or its access key ID")
    deletion.set_defaults(run=_delete)
    return parser


def _list(options: argparse.Namespace) -> str:
    keys = _ask(options, "GET", "/keys")["keys"]
    rows = [list(_COLUMNS), *([str(key[field]) for field in _COLUMNS.values()] for key in keys)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _create(options: argparse.Namespace) -> str:
    owner = {"user": options.user} if options.user else {}
    key = _ask(options, "POST", "/keys", {"alias": options.alias} | owner)
    return (
        f"token ID       {key['key_uuid']}\n"
        f"access key ID  {key['access_key_id']}\n"
        f"secret key     {key['secret_key']}"
    )


def _delete(options: argparse.Namespace) -> str:
    for key in _ask(options, "GET", "/keys")["keys"]:
        if options.id in {key["key_uuid"], key["access_key_id"]}:
            _ask(options, "DELETE", f"/keys/{key['key_uuid']}")
            return f"Deleted {key['access_key_id']}."
    raise CommandError(f"There is no key {options.id}.")


def _ask(options: argparse.Namespace, method: str, path: str, body: Any = None) -> Any:
    """Return what the control interface answers.

    Raises:
        CommandError: It does not, or it refuses.
    """
    if not options.control:
        raise CommandError(f"Say where the simulator is: --control URL, or {CONTROL_VARIABLE}.")
    # Loopback, so through no proxy that the environment may name.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    content = None if body is None else json.dumps(body).encode()
    try:
        request = urllib.request.Request(  # noqa: S310 - whoever runs it says where
            options.control.rstrip("/") + path,
            content,
            {"Content-Type": "application/json"},
            method=method,
        )
        with opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            reason = error.read().decode(errors="replace")
        raise CommandError(f"The simulator refuses: {reason}") from None
    except (OSError, ValueError) as error:
        raise CommandError(f"No simulator answers at {options.control}: {error}") from None
