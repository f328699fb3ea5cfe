"""Whether a process that a launcher asks for would be like the one that was forked ahead of it.

A process knows much from its start: its environment, its folder, its limits. A child of the nursery
has what the first process of the command had, so a launcher that has anything else starts cold.
Nobody is believed: it is the system that tells, and a process that is not there to be asked, or may
not be asked, is like no other.
"""

import os
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Final, NamedTuple

from crusoe_provider.providerserver.warm_start.launcher import (
    STARTED,
    file_behind,
    reach_of,
    read,
    stat_of,
)

# New in every process that Terraform starts. It counts by being there: see `serve.py`.
_CERTIFICATE: Final = b"PLUGIN_CLIENT_CERT"
# In any order, from one start to the next.
_VERSIONS: Final = b"PLUGIN_PROTOCOL_VERSIONS"
_FILES: Final = ("cmdline", "limits", "cgroup", "oom_score_adj")
_STATUS: Final = frozenset(b"Umask PPid SigBlk SigIgn Cpus_allowed Mems_allowed".split())
# In what /proc/PID/stat tells after the name: process group, session, terminal; nice; policy.
_STAT: Final = (2, 3, 4, 16, 38)


class FileState(NamedTuple):
    """What tells a file from one that has taken its place."""

    device: int
    inode: int
    size: int
    modified_ns: int


class Model(NamedTuple):
    """What a launcher must be like for a process that was forked ahead to serve in its place.

    Attributes:
        portrait: What the first process knew from its start.
        files: What the nursery was loaded from.
    """

    portrait: Mapping[str, object]
    files: Mapping[str, FileState | None]

    def is_like(self, pid: int) -> bool:
        """Say whether a process would be the same if it started by itself, and now."""
        try:
            alike = portrait(pid) == self.portrait
        except (OSError, LookupError, ValueError):
            return False
        return alike and all(_state(name) == state for name, state in self.files.items())


def portrait(pid: int) -> dict[str, object]:
    """Return what a process knows from its start.

    Raises:
        OSError: It cannot be found out.
        LookupError: The same.
        ValueError: The same.
    """
    folder = f"/proc/{pid}"
    status = dict(line.split(b":\t", 1) for line in read(f"{folder}/status").splitlines())
    stat = stat_of(pid)
    return {
        "environment": _normalized(_environment(pid)),
        "status": {name: status.get(name) for name in _STATUS},
        "stat": [stat[n] for n in _STAT],
        "parent started": stat_of(int(status[b"PPid"]))[STARTED],
        "reach": reach_of(pid),
        "folder": file_behind(f"{folder}/cwd"),
        **{name: read(f"{folder}/{name}") for name in _FILES},
    }


def variables_of_this_start(pid: int) -> dict[bytes, bytes]:
    """Return the environment variables that a process has not in common with those before it.

    Raises:
        OSError: They cannot be found out.
    """
    environment = _environment(pid)
    names = {_CERTIFICATE, _VERSIONS} & environment.keys()
    return {name: environment[name] for name in names}


def _environment(pid: int) -> dict[bytes, bytes]:
    entries = (entry.partition(b"=") for entry in read(f"/proc/{pid}/environ").split(b"\0"))
    return {name: value for name, _, value in entries}


def _normalized(environment: Mapping[bytes, bytes]) -> dict[bytes, object]:
    known: dict[bytes, object] = {**environment}
    if _CERTIFICATE in known:
        known[_CERTIFICATE] = ...
    if _VERSIONS in known:
        known[_VERSIONS] = sorted(environment[_VERSIONS].split(b","))
    return known


def loaded_files() -> dict[str, FileState | None]:
    """Return the state of the files that this process was loaded from, and of their folders."""
    names = {
        name for name in (sys.argv[0], *sys.path, *map(_file, list(sys.modules.values()))) if name
    }
    return {name: _state(name) for name in names}


def _file(module: object) -> str | None:
    if not issubclass(type(module), ModuleType):  # anything may be put there, and say what it likes
        return None
    # To ask a deferred module for an attribute, in the ordinary way, would load it.
    found: str | None = ModuleType.__getattribute__(module, "__dict__").get("__file__")
    return found


def _state(name: str) -> FileState | None:
    try:
        found = os.stat(name)
    except OSError:
        return None
    return FileState(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
