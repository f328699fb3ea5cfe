"""Making the start of the process quick, by standard means.

Terraform starts a plugin three times for a plan, so what a start takes is what a user waits for.

- Some modules are imported by others and hardly ever touched. Python's own `LazyLoader` puts a
  module in their place that loads itself on the first access to any of its attributes. So if a new
  version of a library begins to use one of them it is there, and only the time is lost.
- Some are imported only if they are installed, and not even touched then. They are not found.
- Importing makes many objects that stay, and the garbage collector looks through all of them again
  and again, for about an eighth of the time. It is off until everything is imported.
"""

import gc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Final

# What imports them, and why they are not touched.
UNTOUCHED: Final = frozenset(
    {
        "asyncio",  # grpc: its asynchronous half
        "grpc.aio",  # grpc: its asynchronous half
        "calendar",  # protobuf: for timestamps, which no message of Terraform's has
        "shutil",  # tempfile: for the removal of folders with content
        "google.protobuf.internal.python_message",  # protobuf: where there is no compiled one
    }
)
# What imports them, and does without.
UNWANTED: Final = frozenset(
    {
        "httpx._main",  # httpx: its command line, and with it click, rich and pygments
    }
)


class _Finder:
    """Finds modules as Python does, but defers the loading of some, and does not find others."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the specification of a module to be deferred; `None` for others.

        Raises:
            ModuleNotFoundError: It is not to be found.
        """
        if name in UNWANTED:
            raise ModuleNotFoundError(name, name=name)
        if name not in UNTOUCHED:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


def begin() -> None:
    """Prepare for many imports; to be called before the first of them."""
    gc.disable()
    sys.meta_path.insert(0, _Finder())


def end() -> None:
    """Go back to normal: what was imported stays for good, and need not be looked at again."""
    gc.freeze()
    gc.enable()
