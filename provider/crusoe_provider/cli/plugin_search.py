"""Which plugin Terraform is going to take, by Terraform's own rules.

First is what runs a plugin in place: `TF_REATTACH_PROVIDERS`, then `dev_overrides` in the CLI
configuration. Then the folder that `terraform init -plugin-dir` has noted. Then the methods of the
`provider_installation` block, or without such a block the implied local mirrors and, if none of
these has the provider, its registry. Of several places the newest version is taken.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crusoe_provider.cli.installation import HOSTS, NAME, SOURCE, terraform_platform
from crusoe_provider.cli.terraform_files import Body, UnreadableFileError, parse

_NUMBERS: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_SOURCE_PARTS: Final = 2


class SearchError(Exception):
    """What Terraform will do cannot be told.

    Attributes:
        advice: What to do.
    """

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where Terraform is going to run.

    Attributes:
        host: The registry that completes the source address.
        environ: The environment.
        home: The home folder, if there is one.
        folder: The working folder.
    """

    host: str
    environ: Mapping[str, str]
    home: Path | None
    folder: Path

    @property
    def data(self) -> Path:
        """The folder in which `terraform init` notes things."""
        return self.folder / (self.environ.get("TF_DATA_DIR") or ".terraform")


@dataclass(frozen=True, slots=True)
class Found:
    """What Terraform is going to take.

    Attributes:
        how: By which rule, in words.
        path: The plugin, if it is on this machine: an executable, or a packed release.
        version: Its version, where the path says it.
        runs_in_place: Whether `terraform init` has no part in it.
        trusted: Whether the place is one that the user has chosen, so that it may be started.
        looked_in: The folders that were looked at without success, if nothing was found in any.
        elsewhere: Where Terraform will look beyond this machine, if it will.
        sources: The files that say so.
    """

    how: str
    path: Path | None = None
    version: str | None = None
    runs_in_place: bool = False
    trusted: bool = True
    looked_in: tuple[Path, ...] = ()
    elsewhere: str | None = None


def find_plugin(around: Surroundings) -> Found:
    """Return what Terraform is going to take.

    Raises:
        SearchError: It cannot be told, or Terraform will refuse it.
    """
    if _is_reattached(around):
        return Found("TF_REATTACH_PROVIDERS: one that runs already", runs_in_place=True)
    configurations = list(cli_configurations(around))
    for path, body in configurations:
        if folder := _override(body, around.host):
            return _overridden(path, folder)
    if (noted := _noted_folders(around)) is not None:
        return _newest(f"terraform init -plugin-dir, noted in {around.data}", noted, around, None)
    for path, body in configurations:
        if blocks := body.of_kind("provider_installation"):
            mirrors, elsewhere = _methods(blocks[0].body, around.host)
            return _newest(f"provider_installation in {path}", mirrors, around, elsewhere)
    return _newest(
        "implied local mirror", list(implied_mirrors(around)), around, f"registry {around.host}"
    )


def cli_configurations(around: Surroundings) -> Iterator[tuple[Path, Body]]:
    """Yield the files of the CLI configuration that are in force, with what they say.

    Raises:
        SearchError: One cannot be read.
    """
    for path in _configuration_files(around):
        try:
            yield path, parse(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue  # Terraform itself warns of that
        except (OSError, UnicodeDecodeError, UnreadableFileError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise SearchError(
                f"The CLI configuration {path} cannot be read here ({why}).",
                "Correct the file if Terraform refuses it, too; `terraform version` says so.",
            ) from None


def locked_version(around: Surroundings) -> str | None:
    """Return the version that the lock file of the working folder has, if it has one."""
    path = around.folder / ".terraform.lock.hcl"
    try:
        body = parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, UnreadableFileError):
        return None
    for block in body.of_kind("provider"):
        if block.labels == (f"{around.host}/{SOURCE}",):
            version = block.body.values.get("version")
            return version if isinstance(version, str) else None
    return None


def implied_mirrors(around: Surroundings) -> Iterator[Path]:
    """Yield the folders in which Terraform looks without any configuration."""
    yield around.folder / "terraform.d" / "plugins"
    product = "opentofu" if around.host == HOSTS[1] else "terraform"
    environ, home = around.environ, around.home
    if home is not None:
        yield home / ".terraform.d" / "plugins"
    if sys.platform == "darwin":
        for folder in (home, Path("/")):
            if folder is not None:
                yield folder / "Library" / "Application Support" / "io.terraform" / "plugins"
        return
    own = str(home / ".local" / "share") if home is not None else ""
    shared = environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    for name in (environ.get("XDG_DATA_HOME") or own, *shared.split(":")):
        if name:
            yield Path(name) / product / "plugins"


def _configuration_files(around: Surroundings) -> list[Path]:
    named = around.environ.get("TF_CLI_CONFIG_FILE") or around.environ.get("TERRAFORM_CONFIG")
    if named:
        return [around.folder / named]
    if around.home is None:
        return []
    own = around.home / ".terraformrc"
    if around.host == HOSTS[1] and (around.home / ".tofurc").exists():
        own = around.home / ".tofurc"
    more = sorted((around.home / ".terraform.d").glob("*.tfrc"))
    return [path for path in (own, *more) if path.exists()]


def _is_reattached(around: Surroundings) -> bool:
    try:
        running = json.loads(around.environ.get("TF_REATTACH_PROVIDERS") or "{}")
    except ValueError:
        return False
    return isinstance(running, dict) and any(_is_ours(str(n), around.host) for n in running)


def _override(body: Body, host: str) -> str | None:
    for installation in body.of_kind("provider_installation"):
        for overrides in installation.body.of_kind("dev_overrides"):
            for source, folder in overrides.body.values.items():
                if _is_ours(source, host):
                    return str(folder)
    return None


def _overridden(configuration: Path, folder: str) -> Found:
    how = f"dev_overrides in {configuration}"
    path = Path(folder)
    executables = sorted(p for p in path.glob(f"{NAME}*") if p.is_file())
    if path.is_file():
        executables = [path]
    if not executables:
        raise SearchError(
            f"{how} leads to {folder}, and there is no {NAME} in there.",
            f"Correct the folder, with what `{NAME} dev-override` prints, or remove the entry.",
        )
    return Found(how, executables[0], runs_in_place=True)


def _noted_folders(around: Surroundings) -> list[Path] | None:
    """Return the folders of `terraform init -plugin-dir`; `None` if it was not run like that."""
    try:
        noted = json.loads((around.data / "plugin_path").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(noted, list) or not noted:
        return None
    return [around.folder / str(folder) for folder in noted]


def _methods(body: Body, host: str) -> tuple[list[Path], str | None]:
    """Return the mirrors that may have our provider, and where else Terraform looks for it."""
    mirrors: list[Path] = []
    elsewhere: str | None = None
    for block in body.blocks:
        values = block.body.values
        included = values.get("include")
        if included is not None and not _matches(included, host):
            continue
        if _matches(values.get("exclude") or (), host):
            continue
        if block.kind == "filesystem_mirror":
            mirrors.append(Path(str(values.get("path", ""))))
        elif block.kind == "network_mirror":
            elsewhere = f"network mirror {values.get('url')}"
        elif block.kind in {"direct", "oci_mirror"}:
            elsewhere = f"registry {host}" if block.kind == "direct" else "OCI mirror"
    return mirrors, elsewhere


def _matches(patterns: object, host: str) -> bool:
    return isinstance(patterns, Sequence) and any(_is_ours(str(p), host) for p in patterns)


def _is_ours(source: str, host: str) -> bool:
    """Say whether a source address, perhaps with asterisks, is that of this provider."""
    parts = source.lower().split("/")
    if len(parts) == _SOURCE_PARTS:
        parts.insert(0, host)
    ours = f"{host}/{SOURCE}".split("/")
    return len(parts) == len(ours) and all(
        part in {"*", own} for part, own in zip(parts, ours, strict=True)
    )


def _newest(
    how: str, mirrors: Sequence[Path], around: Surroundings, elsewhere: str | None
) -> Found:
    packages = [
        (version, path, mirror)
        for mirror in mirrors
        for version, path in _packages(mirror, around.host)
    ]
    if not packages:
        return Found(how, looked_in=tuple(mirrors), elsewhere=elsewhere)
    version, path, mirror = max(packages, key=lambda package: _order(package[0]))
    # What a repository brings along is not started: somebody else may have written it.
    trusted = not mirror.resolve().is_relative_to(around.folder.resolve())
    # An implied mirror that has the provider keeps Terraform from asking the registry.
    beyond = None if how == "implied local mirror" else elsewhere
    return Found(how, path, version, trusted=trusted, elsewhere=beyond)


def _packages(mirror: Path, host: str) -> Iterator[tuple[str, Path]]:
    folder = mirror / host / SOURCE
    platform = terraform_platform()
    for unpacked in folder.glob(f"*/{platform}"):
        for executable in sorted(unpacked.glob(f"{NAME}*")):
            yield unpacked.parent.name, executable
            break
    for packed in folder.glob(f"{NAME}_*_{platform}.zip"):
        yield packed.name.removeprefix(f"{NAME}_").removesuffix(f"_{platform}.zip"), packed


def _order(version: str) -> tuple[tuple[int, ...], bool]:
    """Return what versions are compared by: a pre-release comes before its release."""
    match = _NUMBERS.match(version)
    return tuple(map(int, match.groups())) if match else (0,), "-" not in version
