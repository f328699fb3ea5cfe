"""What is left to do after `install`, so that Terraform takes what was installed."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from crusoe_provider.cli.installation import SOURCE, quoted
from crusoe_provider.cli.plugin_search import (
    IMPLIED,
    Found,
    SearchError,
    Surroundings,
    find_plugin,
)


def remaining_steps(
    plugins: Sequence[Path], mirror: Path, products: Sequence[Surroundings]
) -> Sequence[str]:
    """Return what to tell of products that do not take one of the plugins yet.

    Args:
        plugins: What was installed.
        mirror: Where it was installed.
        products: Where Terraform and OpenTofu are going to run.
    """
    told: dict[str, None] = {}  # what concerns both is told once
    for around in products:
        try:
            found = find_plugin(around)
        except SearchError as error:
            told[f"But it cannot be told whether it will be taken. {error}\n{error.advice}"] = None
            continue
        if found.path is None or not _is_in(found.path, plugins):
            told["\n".join(_steps(found, mirror, around))] = None
    return list(told)


def _steps(found: Found, mirror: Path, around: Surroundings) -> Iterator[str]:
    if found.runs_in_place or _is_in(mirror, found.looked_in):
        yield f"But {found.path or 'another one'} is taken before it ({found.how})."
    elif found.block:
        there = f", and finds {found.path}" if found.path else ""
        yield (
            f"But {found.block} has a provider_installation block, so Terraform looks only where "
            f"that says{there}. Put this inside the block, of which there may be one only:\n"
        )
        yield from (f"  {line}" for line in _method(mirror))
        yield "\nand this inside its `direct` block, if it has one:\n"
        yield f"  {_excluded()}"
    elif found.how == IMPLIED:
        named = around.environ.get("TF_CLI_CONFIG_FILE") or "~/.terraformrc"
        yield f"Terraform looks there when its CLI configuration ({named}) says so:\n"
        block = ("provider_installation {", *_method(mirror), "  direct {", _excluded(), "  }", "}")
        yield from (f"  {line}" for line in block)
    else:
        folders = ", ".join(map(str, found.looked_in))
        yield f"But in this folder Terraform looks only into {folders} ({found.how})."


def _method(mirror: Path) -> Sequence[str]:
    return (
        "  filesystem_mirror {",
        f"    path    = {quoted(str(mirror))}",
        f"    include = [{quoted(SOURCE)}]",
        "  }",
    )


def _excluded() -> str:
    return f"    exclude = [{quoted(SOURCE)}]"


def _is_in(path: Path, paths: Sequence[Path]) -> bool:
    """Say whether a path is one of several, by whatever links."""
    return os.path.realpath(path) in {os.path.realpath(other) for other in paths}
