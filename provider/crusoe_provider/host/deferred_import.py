"""Modules that are loaded when they are first used, instead of when they are imported.

Importing grpc imports asyncio and grpc.aio too, which a synchronous server never touches; together
they take longer than all the rest of grpc. Python's own `importlib.util.LazyLoader` puts a module
in their place that loads itself on the first access to any of its attributes. So if grpc should
begin to use them, they are there, and only the time is lost.
"""

import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType


class _DeferringFinder:
    """Finds modules as Python does, and defers the loading of some."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the specification of a module to be deferred; `None` for any other."""
        if name not in self._names:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


@contextmanager
def deferred_import(*names: str) -> Iterator[None]:
    """Defer the loading of these modules, where the body imports them for the first time."""
    finder = _DeferringFinder(frozenset(names))
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
