"""The folder of the demonstration, in which readers try things out: what they write is kept.

`make clean` runs this file with any Python: it deletes the folder, but for what its reader wrote.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

# Says that a folder may be deleted at any time; see https://bford.info/cachedir/.
_TAG_NAME: Final = "CACHEDIR.TAG"
_TAG: Final = "Signature: 8a477f597d28d172789f06886806bc55\n# Made by tools/demo.py.\n"
_LOCK: Final = "lock"
# The digests of the files as the demonstration has left them.
_KNOWN: Final = "known.json"
_KEPT: Final = "kept"
_OURS: Final = frozenset({_TAG_NAME, _LOCK, _KNOWN})
# What Terraform and the demonstration write, and nobody edits.
_MADE_FOLDERS: Final = frozenset({".terraform", "home", "logs", "mirror", _KEPT})
_MADE_FILES: Final = (
    ".terraform.lock.hcl",
    "terraform.tfstate",
    ".terraform.tfstate",
    "token.tfplan",
)


class FolderError(Exception):
    """The folder cannot be used; the message says why."""


@contextlib.contextmanager
def prepared(root: Path) -> Iterator[list[Path]]:
    """Empty the folder, keep others out meanwhile, and give the new places of what is kept.

    Raises:
        FolderError: The folder is in use, or holds somebody else's files.
    """
    root.mkdir(parents=True, exist_ok=True)
    tag = root / _TAG_NAME
    if not tag.exists() and any(root.iterdir()):
        raise FolderError(f"{root} holds files of somebody else.")
    tag.write_text(_TAG, encoding="utf-8")
    with (root / _LOCK).open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderError(f"Another demonstration or playground uses {root}.") from error
        yield _empty(root)


def remember(root: Path) -> None:
    """Take note of the files that are there: what differs later is the reader's work."""
    known = {str(path.relative_to(root)): _digest(path) for path in _files(root)}
    (root / _KNOWN).write_text(json.dumps(known), encoding="utf-8")


def _empty(root: Path) -> list[Path]:
    """Delete everything but what the reader wrote; return where that is now."""
    try:
        known = json.loads((root / _KNOWN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    written = [p for p in _files(root) if known.get(str(p.relative_to(root))) != _digest(p)]
    number = sum(1 for _ in (root / _KEPT).glob("*")) + 1
    kept = [root / _KEPT / str(number) / path.relative_to(root) for path in written]
    for path, new in zip(written, kept, strict=True):
        new.parent.mkdir(parents=True, exist_ok=True)
        path.rename(new)
    for path in root.iterdir():
        if path.is_dir() and not path.is_symlink():
            if path.name != _KEPT:
                shutil.rmtree(path)
        elif path.name not in {_TAG_NAME, _LOCK}:
            path.unlink()
    return kept


def _files(root: Path) -> Iterator[Path]:
    """Yield every file that a reader may have written or changed."""
    for name, folders, files in os.walk(root):
        folders[:] = sorted(set(folders) - _MADE_FOLDERS)
        for file in sorted(files):
            path = Path(name, file)
            if not (file in _OURS or file.startswith(_MADE_FILES) or path.is_symlink()):
                yield path


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    """Delete the folder, but for what its reader wrote."""
    root = Path(sys.argv[1])
    if not root.exists():
        return 0
    try:
        with prepared(root) as kept:
            for path in kept:
                print(f"Kept, for it was written by hand: {path}")
            (root / _TAG_NAME).unlink()
            (root / _LOCK).unlink()
    except FolderError as error:
        print(f"{error} It stays.", file=sys.stderr)
        return 0
    if any(root.iterdir()):
        (root / _TAG_NAME).write_text(_TAG, encoding="utf-8")
    else:
        root.rmdir()
    return 0


if __name__ == "__main__":
    sys.exit(main())
