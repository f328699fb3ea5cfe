"""Checks of this machine: which Terraform there is, and whether it finds a plugin that starts."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from crusoe_provider.api.text import printable
from crusoe_provider.cli.installation import HOSTS, NAME, SOURCE
from crusoe_provider.cli.invocation import invocation
from crusoe_provider.cli.plugin_search import (
    Found,
    SearchError,
    Surroundings,
    find_plugin,
    locked_version,
)
from crusoe_provider.cli.report import Line, Status

_PRODUCTS: Final = {"terraform": ("Terraform", HOSTS[0]), "tofu": ("OpenTofu", HOSTS[1])}
_OLDEST: Final = (1, 0)
_START_SECONDS: Final = 20.0
_LONGEST_CAUSE: Final = 400
# The frame and the colours of Terraform's messages.
_FRAME: Final = re.compile(
    r"\x1b\[[0-9;]*m|[╷│╵]|There are some problems with the CLI configuration:"
)


class _Run(NamedTuple):
    """What came of a program: its output and its complaints, or what was wrong with it."""

    output: str
    complaints: str
    trouble: str | None


def terraform_lines(environ: Mapping[str, str], home: Path | None, folder: Path) -> Iterator[Line]:
    """Yield what there is to say of Terraform and of the plugin that it finds.

    Args:
        environ: The environment.
        home: The home folder, if there is one.
        folder: The working folder.
    """
    commands = {name: shutil.which(name, path=environ.get("PATH")) for name in _PRODUCTS}
    found = {name: str(Path(command).absolute()) for name, command in commands.items() if command}
    if not found:
        yield Line(
            "terraform",
            Status.PROBLEM,
            "Neither terraform nor tofu is on the PATH.",
            "Install Terraform (https://developer.hashicorp.com/terraform/install), or leave this "
            "out with --no-terraform where another program brings it.",
        )
    for name in list(found) or ["terraform"]:
        product, host = _PRODUCTS[name]
        around = Surroundings(host, environ, home, folder)
        if name in found:
            yield _terraform_line(product, found[name], around)
        yield _plugin_line(product, around)


def _terraform_line(product: str, command: str, around: Surroundings) -> Line:
    # Options for other commands, and logs, are of no use here.
    left_out = ("TF_CLI_ARGS", "TF_CLI_ARGS_version", "TF_LOG", "TF_LOG_CORE")
    quiet = {k: v for k, v in around.environ.items() if k not in left_out}
    # In the working folder, since version managers look there for the version to take.
    done = _run([command, "version", "-json"], quiet | {"CHECKPOINT_DISABLE": "1"}, around.folder)
    try:
        version = str(json.loads(done.output)["terraform_version"])
    except (ValueError, KeyError, TypeError):
        return Line(
            "terraform",
            Status.PROBLEM,
            f"{command} does not say which version it is: {done.trouble or 'no version'}",
            f"Run `{command} version`, and correct what it complains of.",
            {"product": product, "path": command, "version": None},
        )
    details = {"product": product, "path": command, "version": version}
    if _numbers(version) < _OLDEST:
        return Line(
            "terraform",
            Status.PROBLEM,
            f"{product} {version} ({command}) is too old.",
            f"Install {product} 1.0 or newer.",
            details,
        )
    found = f"{product} {version} ({command})"
    if done.complaints:
        # It goes on all the same, without the configuration that it does not understand.
        status = Status.PROBLEM if "Error:" in done.complaints else Status.WARNING
        message = f"{found} says: {done.complaints}"
        return Line("terraform", status, message, "Correct the file that it names.", details)
    return Line("terraform", Status.OK, found, None, details)


def _plugin_line(product: str, around: Surroundings) -> Line:
    try:
        found = find_plugin(around)
    except SearchError as error:
        return Line("plugin", Status.PROBLEM, str(error), error.advice, {"product": product})
    details = {
        "product": product,
        "how": found.how,
        "path": str(found.path) if found.path else None,
        "version": found.version,
    }
    if found.path is None:
        return _not_here(product, found, details)
    command = next(name for name, (known, _) in _PRODUCTS.items() if known == product)
    locked = None if found.runs_in_place else locked_version(around)
    if locked and found.version and locked != found.version and not found.elsewhere:
        return Line(
            "plugin",
            Status.PROBLEM,
            f".terraform.lock.hcl has version {locked}, and {product} finds {found.version} "
            f"({found.path}, {found.how}).",
            f"Run `{command} init -upgrade`, or install version {locked}.",
            details | {"locked_version": locked},
        )
    where = f"{found.path} ({found.how})"
    if not found.trusted or found.path.suffix == ".zip":
        return Line("plugin", Status.OK, f"{product} finds {where}; not started", None, details)
    done = _run([str(found.path), "--version"], around.environ, around.folder)
    if done.trouble is not None or not done.output.startswith(NAME):
        return Line(
            "plugin",
            Status.PROBLEM,
            f"{product} finds {where}, and it does not start: {done.trouble or 'another program'}",
            f"Install it again: {invocation()} install. `bad interpreter` or `No such file` means "
            "that its Python is gone.",
            details,
        )
    version = printable(done.output.removeprefix(NAME), 50)
    return Line(
        "plugin",
        Status.OK,
        f"{product} finds {version}, {where}; it starts",
        None,
        details | {"version": version},
    )


def _not_here(product: str, found: Found, details: Mapping[str, object]) -> Line:
    if found.runs_in_place:
        return Line("plugin", Status.OK, f"{product} takes {found.how}", None, details)
    folders = ", ".join(map(str, found.looked_in)) or "no folder of this machine"
    if found.elsewhere:
        return Line(
            "plugin",
            Status.WARNING,
            f"None on this machine ({found.how}: {folders}); {product} will ask the "
            f"{found.elsewhere}.",
            f"If {SOURCE} is not to be had there: {invocation()} install.",
            details,
        )
    return Line(
        "plugin",
        Status.PROBLEM,
        f"{product} will find none ({found.how}: {folders}).",
        f"Put it there: {invocation()} install --plugin-dir FOLDER, or see what `install` prints.",
        details,
    )


def _run(command: list[str], environ: Mapping[str, str], folder: Path) -> _Run:
    """Run a program in the working folder, within a bounded time."""
    try:
        done = subprocess.run(
            command,
            env=dict(environ),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_START_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _Run("", "", f"it has not answered within {_START_SECONDS:.0f} seconds")
    except OSError as error:
        return _Run("", "", error.strerror or "it cannot be started")
    output = done.stdout.decode(errors="replace")
    complaints = printable(_FRAME.sub(" ", done.stderr.decode(errors="replace")), _LONGEST_CAUSE)
    if done.returncode == 0:
        return _Run(output, complaints, None)
    ended = f"it ended with exit code {done.returncode}"
    said = complaints or printable(output, _LONGEST_CAUSE)
    return _Run("", complaints, f"{ended}: {said}" if said else ended)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
