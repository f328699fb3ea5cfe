"""How a person starts this program again: a command that is printed has to work as it stands."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from crusoe_provider.cli.installation import NAME, is_bundle


def program() -> Path:
    """Return the file that was started, links not resolved."""
    # The binary of a release knows itself only so: the shell may have found it by PATH.
    path = Path(sys.executable if is_bundle() else sys.argv[0])
    try:
        return path.absolute()
    except FileNotFoundError:  # the working folder was deleted
        return path


def invocation() -> str:
    """Return what starts this program in a shell: its name, where that leads to no other."""
    path = program()
    is_module = path.name == "__main__.py"  # python -m crusoe_provider
    if is_module or not (path.is_file() and os.access(path, os.X_OK)):
        return shlex.join([sys.executable, "-m", "crusoe_provider"])
    found = shutil.which(NAME)
    return NAME if found and path.samefile(found) else shlex.quote(str(path))
