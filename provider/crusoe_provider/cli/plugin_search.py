"""Which plugin Terraform is going to take, by Terraform's own rules.

First is what runs a plugin in place: `TF_REATTACH_PROVIDERS`, then `dev_overrides` in the CLI
configuration. Then the folder that `terraform init -plugin-dir` has noted. Then the methods of the
`provider_installation` block, or without such a block the implied local mirrors and, if none of
these has the provider, its registry. Of several versions in mirrors that of the lock file is taken,
and the newest without one.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from crusoe_provider.cli.installation import HOSTS, NAME, SOURCE
from crusoe_provider.cli.invocation import invocation
from crusoe_provider.cli.mirrors import Mirror, may_be_started, package_taken
from crusoe_provider.cli.terraform_files import Body, UnreadableFileError, parse

IMPLIED: Final = "implied local mirror"
"""How what is found without any configuration is found."""

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
        looked_in: The mirrors that were looked at.
        elsewhere: Where Terraform will look beyond this machine, if it will.
        block: The file whose `provider_installation` block says so, if one does.
    """

    how: str
    path: Path | None = None
    version: str | None = None
    runs_in_place: bool = False
    trusted: bool = True
    looked_in: tuple[Path, ...] = ()
    elsewhere: str | None = None
    block: Path | None = None


def working_folder() -> Path:
    """Return the working folder; one that was deleted counts as the root."""
    try:
        return Path(os.getcwd())  # noqa: PTH109 - raises where the folder is gone, as Path.cwd does
    except FileNotFoundError:
        return Path("/")


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
        return _in_mirrors(
            noted, around, Found(f"terraform init -plugin-dir, noted in {around.data}")
        )
    for path, body in configurations:
        if blocks := body.of_kind("provider_installation"):
            mirrors, elsewhere = _methods(blocks[0].body, around)
            how = f"provider_installation in {path}"
            return _in_mirrors(mirrors, around, Found(how, elsewhere=elsewhere, block=path))
    found = _in_mirrors(list(implied_mirrors(around)), around, Found(IMPLIED))
    # An implied mirror that has the provider keeps Terraform from asking the registry.
    return found if found.path else replace(found, elsewhere=f"registry {around.host}")


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


def implied_mirrors(around: Surroundings) -> Iterator[Mirror]:
    """Yield the folders in which Terraform looks without any configuration."""
    yield Mirror(around.folder / "terraform.d" / "plugins", is_chosen=False)
    product = "opentofu" if around.host == HOSTS[1] else "terraform"
    environ, home = around.environ, around.home
    if home is not None:
        yield Mirror(home / ".terraform.d" / "plugins")
    if sys.platform == "darwin":
        for folder in (home, Path("/")):
            if folder is not None:
                support = folder / "Library" / "Application Support"
                yield Mirror(support / "io.terraform" / "plugins")
        return
    own = str(home / ".local" / "share") if home is not None else ""
    shared = environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    for name in (environ.get("XDG_DATA_HOME") or own, *shared.split(":")):
        if name:
            yield Mirror(Path(name) / product / "plugins")


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
            f"Correct the folder, with what `{invocation()} dev-override` prints, or remove the "
            "entry.",
        )
    return Found(how, executables[0], runs_in_place=True)


def _noted_folders(around: Surroundings) -> list[Mirror] | None:
    """Return the folders of `terraform init -plugin-dir`; `None` if it was not run like that."""
    try:
        noted = json.loads((around.data / "plugin_path").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(noted, list) or not noted:
        return None
    # A repository may have brought the note along.
    return [Mirror(around.folder / str(folder), is_chosen=False) for folder in noted]


def _methods(body: Body, around: Surroundings) -> tuple[list[Mirror], str | None]:
    """Return the mirrors that may have our provider, and where else Terraform looks for it."""
    host = around.host
    mirrors: list[Mirror] = []
    elsewhere: str | None = None
    for block in body.blocks:
        values = block.body.values
        included = values.get("include")
        if included is not None and not _matches(included, host):
            continue
        if _matches(values.get("exclude") or (), host):
            continue
        if block.kind == "filesystem_mirror":
            mirrors.append(Mirror(around.folder / str(values.get("path", ""))))
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


def _in_mirrors(mirrors: Sequence[Mirror], around: Surroundings, found: Found) -> Found:
    """Complete what was found with what mirrors have."""
    found = replace(found, looked_in=tuple(mirror.path for mirror in mirrors))
    package = package_taken(mirrors, around.host, locked_version(around))
    if package is None:
        return found
    trusted = may_be_started(package.mirror, around.folder)
    return replace(found, path=package.path, version=package.version, trusted=trusted)
