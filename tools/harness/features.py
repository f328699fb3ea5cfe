"""What not every Terraform has, found in a configuration or in a command.

So that a test which uses it is skipped, by name, where somebody has chosen a version that lacks it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.terraforms import Version


class LacksFeatureError(Exception):
    """The Terraform that was chosen lacks what is to be run; the message names it."""


@dataclass(frozen=True, slots=True)
class Feature:
    """What came with a version.

    Attributes:
        name: What to call it.
        terraform: The first version of Terraform; `None` if none has it.
        opentofu: The same of OpenTofu.
        code: What it looks like in a configuration, if it is part of one.
        argument: How an argument of the command begins, if it is one.
    """

    name: str
    terraform: str | None
    opentofu: str | None
    code: str | None = None
    argument: str | None = None


def _inside(block: str, argument: str) -> str:
    """Return what finds an argument in a block, which ends with a bracket that is not indented."""
    return rf'^{block} "[^}}\n]*\n(?:(?!}}).*\n)*?\s+{argument}\s*='


FEATURES: Final = (
    Feature("moved blocks", "1.1", "1.6", code=r"^\s*moved\s*{"),
    Feature("replace_triggered_by", "1.2", "1.6", code=r"^\s*replace_triggered_by\s*="),
    Feature("terraform_data", "1.4", "1.6", code=r'"terraform_data"|\bterraform_data\.'),
    Feature("calls of plantimestamp", "1.5", "1.6", code=r"\bplantimestamp\("),
    Feature("import blocks", "1.5", "1.6", code=r"^\s*import\s*{"),
    Feature("check blocks", "1.5", "1.6", code=r'^\s*check\s+"'),
    Feature("-generate-config-out", "1.5", "1.6", argument="-generate-config-out"),
    Feature("terraform test", "1.6", "1.6", argument="test"),
    Feature("removed blocks", "1.7", "1.7", code=r"^\s*removed\s*{"),
    Feature("mocks", "1.7", "1.8", code=r'^\s*mock_provider\s+"'),
    Feature("functions of providers", "1.8", "1.7", code=r"\bprovider::"),
    Feature("moves from another type", "1.8", "1.8", code=r"^\s*from\s*=\s*crusoe_storage_s3_"),
    Feature("ephemeral resources", "1.10", "1.11", code=r'^\s*ephemeral\s+"'),
    Feature("ephemeral variables", "1.10", "1.11", code=r"^\s*ephemeral\s*=\s*true"),
    Feature("locks in the bucket", "1.10", "1.10", code=r"^\s*use_lockfile\s*="),
    Feature("imports by identity", "1.12", "1.12", code=r"^\s*identity\s*=\s*{"),
    Feature("actions", "1.14", None, code=r'^\s*action\s+"'),
    Feature("-invoke", "1.14", None, argument="-invoke"),
    Feature("terraform query", "1.14", None, argument="query"),
    Feature("encryption blocks", None, "1.7", code=r"^\s*encryption\s*{"),
    Feature("provider blocks with for_each", None, "1.9", code=_inside("provider", "for_each")),
    Feature("-exclude", None, "1.9", argument="-exclude"),
    Feature("enabled in lifecycle blocks", None, "1.11", code=_inside("resource", "enabled")),
    Feature("destroy in lifecycle blocks", None, "1.12", code=_inside("resource", "destroy")),
)
_REQUIRED: Final = re.compile(r'^\s*required_version\s*=\s*">= *([\d.]+)"', re.MULTILINE)
_FILES: Final = ("*.tf", "*.tftest.hcl")


def require(version: Version, folder: Path, args: Sequence[str]) -> None:
    """Refuse to run a command on a configuration if this version lacks what they need.

    Raises:
        LacksFeatureError: It does.
    """
    for feature in used(folder, args):
        if not version.has(feature.terraform, feature.opentofu):
            needed = either(feature.terraform, feature.opentofu)
            raise LacksFeatureError(f"{feature.name} need {needed}; this is {version}")


def either(terraform: str | None, opentofu: str | None) -> str:
    """Return the name of the first versions that have something; `None` is a product without it."""
    versions = {"Terraform": terraform, "OpenTofu": opentofu}
    return " or ".join(f"{product} {first}" for product, first in versions.items() if first)


def used(folder: Path, args: Sequence[str]) -> Iterator[Feature]:
    """Yield the features that a command on a configuration uses."""
    # Tests of the configuration are read only by the command that runs them.
    kinds = _FILES if args[0] == "test" else _FILES[:1]
    files = [file for kind in kinds for file in folder.rglob(kind)]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    yield from used_in(text)
    for feature in FEATURES:
        if feature.argument and any(argument.startswith(feature.argument) for argument in args):
            yield feature
    for number in _REQUIRED.findall(text):
        yield Feature("configurations that say so", number, number)


def used_in(code: str) -> Iterator[Feature]:
    """Yield the features that a piece of a configuration uses."""
    for feature in FEATURES:
        if feature.code and re.search(feature.code, code, re.MULTILINE):
            yield feature
