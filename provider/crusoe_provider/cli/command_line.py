"""What people can ask of `terraform-provider-crusoe`. Terraform starts it without arguments."""

import argparse
import io
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from crusoe_provider.cli import installation
from crusoe_provider.cli.installation import NAME, SOURCE, InstallationError, quoted
from crusoe_provider.cli.invocation import invocation, program
from crusoe_provider.version import __version__

_DESCRIPTION: Final = """\
{name} {version}

This is a Terraform plugin: Terraform starts it, people do not. To put it where Terraform finds it:

  {command} install

To see whether Terraform will find it, and whether your credentials work:

  {command} check
"""
_INTERRUPTED: Final = 130


def run(arguments: Sequence[str]) -> int:
    """Do what the arguments say, and return the exit code."""
    try:
        return _run(arguments)
    finally:
        _end_output()


def _run(arguments: Sequence[str]) -> int:
    # Help is printed by argparse, and holds a path. `None`: closed by who has started this.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except (InstallationError, OSError, RuntimeError) as error:
        print(f"{NAME} {options.name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED


def usage() -> str:
    """Return what this program is and can do."""
    return _parser().format_help()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=NAME,
        description=_DESCRIPTION.format(name=NAME, version=__version__, command=invocation()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{NAME} {__version__}")
    commands = parser.add_subparsers(required=True, dest="name", metavar="COMMAND")
    for name, command, text in (
        ("install", _install, "put the plugin where Terraform and OpenTofu find it"),
        ("uninstall", _uninstall, "undo that"),
        ("dev-override", _dev_override, "print a CLI configuration that runs the plugin in place"),
        ("check", _check, "check Terraform, the plugin, credentials and the API; changes nothing"),
    ):
        subparser = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        subparser.set_defaults(command=command)
        if command is _check:
            _add_check_options(subparser)
        elif command is not _dev_override:
            subparser.add_argument(
                "--plugin-dir",
                type=Path,
                metavar="FOLDER",
                help="a filesystem mirror; default: ~/.terraform.d/plugins",
            )
    return parser


def _add_check_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--profile", metavar="NAME", help="the profile that a provider block or a resource names"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.add_argument(
        "--expires-within",
        type=_duration,
        metavar="DURATION",
        help="fail if a token of yours expires within this time, such as 14d; by default those of "
        "the next 7 days are warnings",
    )
    parser.add_argument(
        "--no-terraform", action="store_true", help="do not look for Terraform and its plugin"
    )


def _duration(text: str) -> timedelta:
    from crusoe_provider.tokens.durations import parse_duration  # noqa: PLC0415 - for check alone

    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _check(options: argparse.Namespace) -> int:
    # Here, because it brings the whole provider along.
    from crusoe_provider.cli import check, report  # noqa: PLC0415
    from crusoe_provider.cli.plugin_search import working_folder  # noqa: PLC0415

    try:
        home: Path | None = Path.home()
    except RuntimeError:  # neither HOME nor an entry in the password database
        home = None
    wanted = check.Options(options.profile, not options.no_terraform, options.expires_within)
    found = check.check(wanted, environ=os.environ, home=home, folder=working_folder())
    lines = []
    for line in found:
        lines.append(line)
        if not options.json:
            # At once: some of them take a while.
            _print(report.as_text([line]))
    if options.json:
        _print(report.as_json(lines))
    return int(report.has_problem(lines))


def _print(*lines: str) -> None:
    """Print lines, whichever characters the terminal knows, and whether or not anybody reads."""
    if sys.stdout is None:  # closed by who has started this
        return
    encoding = sys.stdout.encoding or "utf-8"
    try:
        for line in lines:
            print(line.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        # As `| head -1` does. The rest is for nobody, and the exit code is what it would have been.
        _discard_output()


def _end_output() -> None:
    """Write what is left to write. Python's own attempt at its end would change the exit code."""
    try:
        _print()
    except OSError:
        _discard_output()


def _discard_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _install(options: argparse.Namespace) -> int:
    from crusoe_provider.cli import plugin_search  # noqa: PLC0415 - as in _check
    from crusoe_provider.cli.remaining_steps import remaining_steps  # noqa: PLC0415

    home = Path.home()
    mirror = _folder(options, home)
    done = installation.install(mirror, __version__)
    _print("Installed:", *(f"  {plugin}" for plugin in done.plugins))
    for version in done.replaced:
        _print(f"Version {version}, which was there before, was removed.")
    _print(
        "\nRequire it in your configuration, and run terraform init (after a change: -upgrade):\n",
        *(f"  {line}" for line in installation.required_providers(__version__)),
    )
    folder = plugin_search.working_folder()
    hosts = dict(zip(("terraform", "tofu"), installation.HOSTS, strict=True))
    # Of what is not there nobody needs to hear; with neither, either may come.
    there = [host for name, host in hosts.items() if shutil.which(name)] or installation.HOSTS
    products = [plugin_search.Surroundings(host, os.environ, home, folder) for host in there]
    for text in remaining_steps(done.plugins, mirror, products):
        _print(f"\n{text}")
    undo = f" --plugin-dir {shlex.quote(str(mirror))}" if options.plugin_dir else ""
    _print(f"\nTo undo it: {invocation()} uninstall{undo}")
    return 0


def _uninstall(options: argparse.Namespace) -> int:
    folder = _folder(options, Path.home())
    removed = installation.uninstall(folder)
    if not removed:
        _print(f"Nothing to undo: no version is installed in {folder}.")
    for version in removed:
        _print(f"Version {version} was removed from {folder}.")
    return 0


def _dev_override(_options: argparse.Namespace) -> int:
    folder = program().resolve().parent
    _print(
        "# Save it as a file, and name that in TF_CLI_CONFIG_FILE; terraform init is not needed.",
        "provider_installation {",
        "  dev_overrides {",
        f"    {quoted(SOURCE)} = {quoted(str(folder))}",
        "  }",
        "  direct {}",
        "}",
    )
    return 0


def _folder(options: argparse.Namespace, home: Path) -> Path:
    folder: Path | None = options.plugin_dir
    return folder.expanduser().absolute() if folder else installation.default_folder(home)
