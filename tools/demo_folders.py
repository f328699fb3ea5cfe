"""The folder that the demonstration keeps all its files in."""

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from expectations import DemoError, expect

# Says that a folder may be deleted at any time; see https://bford.info/cachedir/.
_TAG_NAME: Final = "CACHEDIR.TAG"
_TAG: Final = "Signature: 8a477f597d28d172789f06886806bc55\n# Made by tools/demo.py.\n"


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the demonstration keeps its files."""

    root: Path

    @property
    def run(self) -> Path:
        """The copy of the example, and its state."""
        return self.root / "run"

    @property
    def home(self) -> Path:
        """The home folder of all programs that are run."""
        return self.root / "home"

    @property
    def logs(self) -> Path:
        """The logs."""
        return self.root / "logs"

    @property
    def mirror(self) -> Path:
        """The filesystem mirror with the plugin."""
        return self.root / "mirror"

    @property
    def cli_configuration(self) -> Path:
        """Terraform's CLI configuration."""
        return self.root / "terraform.tfrc"


@contextlib.contextmanager
def prepared(folders: Folders, configuration: Path) -> Iterator[None]:
    """Clear the folder of an earlier run, copy the configuration, and keep others out meanwhile.

    Raises:
        DemoError: The folder is in use, or holds somebody else's files.
    """
    root = folders.root
    root.mkdir(parents=True, exist_ok=True)
    tag = root / _TAG_NAME
    expect(tag.exists() or not any(root.iterdir()), f"{root} holds files of somebody else.")
    tag.write_text(_TAG, encoding="utf-8")
    with (root / "lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DemoError(f"Another demonstration or playground uses {root}.") from error
        for folder in (folders.run, folders.home, folders.logs, folders.mirror):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        for file in sorted(configuration.glob("*.tf")):
            shutil.copy(file, folders.run)
        yield
