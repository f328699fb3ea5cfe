"""What people can ask of `terraform-provider-crusoe`. Terraform starts it without arguments."""

import argparse
import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from crusoe_provider.cli import installation
from crusoe_provider.cli.installation import NAME, SOURCE, InstallationError, quoted
from crusoe_provider.version import __version__

_DESCRIPTION: Final = f"""\
{NAME} {__version__}

This is a Terraform plugin: Terraform starts it, people do not. To put it where Terraform finds it:

  {NAME} install

To see whether Terraform will find it, and whether your credentials work:

  {NAME} check
"""
_INTERRUPTED: Final = 130


def run(arguments: Sequence[str]) -> int:
    """Do what the arguments say, and return the exit code."""
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
        description=_DESCRIPTION,
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
    from crusoe_provider.cli.terraform_check import working_folder  # noqa: PLC0415

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


def _print(text: str) -> None:
    """Print a text, whichever characters the terminal knows."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def _install(options: argparse.Namespace) -> int:
    home = Path.home()
    folder = _folder(options, home)
    done = installation.install(folder, __version__)
    print("Installed:")
    for plugin in done.plugins:
        print(f"  {plugin}")
    for version in done.replaced:
        print(f"Version {version}, which was there before, was removed.")
    print(
        "\nRequire it in your configuration, and run terraform init (after a change: -upgrade):\n"
    )
    for line in installation.required_providers(__version__):
        print(f"  {line}")
    if options.plugin_dir:
        print("\nTerraform looks there when its CLI configuration (~/.terraformrc) says so:\n")
        for line in ("provider_installation {", *_mirror(folder), "}"):
            print(f"  {line}")
    elif blocking := installation.blocking_configuration(
        home, os.environ.get("TF_CLI_CONFIG_FILE")
    ):
        _say_what_is_missing(blocking, folder, done, home)
    undo = f" --plugin-dir {shlex.quote(str(folder))}" if options.plugin_dir else ""
    print(f"\nTo undo it: {NAME} uninstall{undo}")
    return 0


def _uninstall(options: argparse.Namespace) -> int:
    folder = _folder(options, Path.home())
    removed = installation.uninstall(folder)
    if not removed:
        print(f"Nothing to undo: no version is installed in {folder}.")
    for version in removed:
        print(f"Version {version} was removed from {folder}.")
    return 0


def _dev_override(_options: argparse.Namespace) -> int:
    # The binary of a release knows itself only so: the shell may have found it by PATH.
    program = sys.executable if installation.is_bundle() else sys.argv[0]
    folder = os.path.dirname(os.path.realpath(program))  # noqa: PTH120 - links resolved
    print("# Save it as a file, and name that in TF_CLI_CONFIG_FILE; terraform init is not needed.")
    print("provider_installation {")
    print("  dev_overrides {")
    print(f"    {quoted(SOURCE)} = {quoted(folder)}")
    print("  }")
    print("  direct {}")
    print("}")
    return 0


def _folder(options: argparse.Namespace, home: Path) -> Path:
    folder: Path | None = options.plugin_dir
    return folder.expanduser().absolute() if folder else installation.default_folder(home)


def _say_what_is_missing(
    blocking: Path, folder: Path, done: installation.Installed, home: Path
) -> None:
    """Print what a `provider_installation` block lacks that leads elsewhere."""
    from crusoe_provider.cli import plugin_search  # noqa: PLC0415 - hardly ever

    around = plugin_search.Surroundings(installation.HOSTS[0], os.environ, home, Path("/"))
    with contextlib.suppress(plugin_search.SearchError):
        if plugin_search.find_plugin(around).path in done.plugins:
            return
    mirror, direct = _mirror(folder)[:4], _mirror(folder)[5]
    print(
        f"\nBut {blocking} has a provider_installation block, so Terraform looks only where "
        "that says. Put this inside the block, of which there may be one only:\n"
    )
    for line in mirror:
        print(f"  {line}")
    print("\nand this inside its `direct` block, if it has one:\n")
    print(f"  {direct}")


def _mirror(folder: Path) -> Sequence[str]:
    pattern = quoted(SOURCE)
    return (
        "  filesystem_mirror {",
        f"    path    = {quoted(str(folder))}",
        f"    include = [{pattern}]",
        "  }",
        "  direct {",
        f"    exclude = [{pattern}]",
        "  }",
    )
