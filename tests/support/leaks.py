"""Where a secret may have been left: every file around a workspace, and every output."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from harness.workspace import Workspace


def files_with(text: str, folder: Path) -> list[str]:
    """Return the files below a folder that hold a text; of archives, the members.

    Saved plans are archives. A text is looked for as it stands and as JSON has it.
    """
    return [
        name
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
        for name, content in _contents(str(path.relative_to(folder)), path.read_bytes())
        if text.encode() in content
    ]


def files_of(workspace: Workspace) -> Path:
    """Return the folder that holds the configuration, the states, the plans, home and logs."""
    return workspace.folder.parent


def _contents(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    yield name, content
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.namelist():
                yield from _contents(f"{name}/{member}", archive.read(member))
