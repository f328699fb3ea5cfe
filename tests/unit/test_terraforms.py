"""Which Terraform is run."""

import ast
from pathlib import Path

import pytest

from harness import terraforms
from harness.terraforms import NoTerraformError, Version, executable, version

REPOSITORY = Path(__file__).parents[2]


def program(path: Path, output: str) -> Path:
    """Make a program that prints something."""
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{output}\nEND\n")
    path.chmod(0o700)
    return path


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("Terraform v1.11.4\non linux_amd64", "Terraform 1.11.4"),
        ("Terraform v1.16.0-rc2\non linux_amd64", "Terraform 1.16.0"),
        ("OpenTofu v1.8.0\non linux_amd64", "OpenTofu 1.8.0"),
        ("Warning: odd\n\nOpenTofu v1.12.6\non darwin_arm64", "OpenTofu 1.12.6"),
    ],
)
def test_a_binary_says_what_it_is(tmp_path: Path, output: str, said: str) -> None:
    """Whatever its name."""
    assert str(version(program(tmp_path / "terraform", output))) == said


def test_another_program_is_no_terraform(tmp_path: Path) -> None:
    """It is said before any test fails because of it."""
    with pytest.raises(NoTerraformError, match="is no Terraform: hello"):
        version(program(tmp_path / "terraform", "hello"))


@pytest.mark.parametrize(
    ("number", "terraform", "opentofu"),
    [((1, 9, 0), False, False), ((1, 12, 0), False, True), ((1, 14, 0), True, True)],
)
def test_a_feature_comes_with_a_version(
    number: tuple[int, int, int], terraform: bool, opentofu: bool
) -> None:
    """Not with the same one in both; and what OpenTofu lacks, it lacks in every version."""
    assert Version("Terraform", number).has("1.14", "1.12") is terraform
    assert Version("OpenTofu", number).has("1.14", "1.12") is opentofu
    assert not Version("OpenTofu", number).has("1.0", None)


def test_the_variable_names_a_binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its path, or by its name on the path; what is not there is explained."""
    tofu = program(tmp_path / "tofu", "OpenTofu v1.8.0")
    monkeypatch.setenv("PATH", str(tmp_path))

    monkeypatch.setenv(terraforms.VARIABLE, str(tofu))
    assert executable() == tofu
    monkeypatch.setenv(terraforms.VARIABLE, "tofu")
    assert executable() == tofu
    monkeypatch.setenv(terraforms.VARIABLE, "")
    with pytest.raises(NoTerraformError, match=r"terraform was not found(.|\n)*hashicorp\.com"):
        executable()


def test_tools_take_nothing_from_the_tests() -> None:
    """Tests stand on tools, and not the other way round."""
    helpers = {"support", "conftest"}
    for file in (REPOSITORY / "tools").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not {name.partition(".")[0] for name in names} & helpers, file
