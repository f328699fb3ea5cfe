"""What not every Terraform has."""

from pathlib import Path

import pytest

from harness.features import LacksFeatureError, require, used
from harness.terraforms import Version

OLD = Version("Terraform", (1, 0, 3))
TOFU = Version("OpenTofu", (1, 12, 6))
NEW = Version("Terraform", (1, 15, 5))


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ('resource "terraform_data" "d" {}', "terraform_data"),
        ("moved {\n  from = a.b\n}", "moved blocks"),
        ("import {\n  id = 1\n}", "import blocks"),
        ("removed {\n}", "removed blocks"),
        ('terraform {\n  required_version = ">= 1.5"\n}', "configurations that say so"),
        ('check "quota" {\n}', "check blocks"),
        ('ephemeral "crusoe_storage_token" "t" {}', "ephemeral resources"),
        ('variable "v" {\n  ephemeral = true\n}', "ephemeral variables"),
        ("x = provider::crusoe::credentials_file(1)", "functions of providers"),
        ('action "crusoe_storage_revoke_token" "r" {}', "actions"),
        ('terraform {\n  backend "s3" {\n    use_lockfile = true\n  }\n}', "locks in the bucket"),
    ],
)
def test_a_feature_is_found_in_the_configuration(tmp_path: Path, code: str, name: str) -> None:
    """And named; the newest version has all of them."""
    (tmp_path / "main.tf").write_text(code + "\n")

    with pytest.raises(LacksFeatureError, match=rf"^{name} need .*; this is Terraform 1\.0\.3$"):
        require(OLD, tmp_path, ["plan"])
    require(NEW, tmp_path, ["plan"])


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("terraform {\n  encryption {\n  }\n}", "encryption blocks"),
        (
            'provider "crusoe" {\n  alias    = "by_user"\n  for_each = var.users\n}',
            "provider blocks with for_each",
        ),
        (
            'resource "a" "b" {\n  c = 1\n\n  lifecycle {\n    enabled = var.d\n  }\n}',
            "enabled in lifecycle blocks",
        ),
        (
            'resource "a" "b" {\n  lifecycle {\n    destroy = false\n  }\n}',
            "destroy in lifecycle blocks",
        ),
    ],
)
def test_what_no_terraform_has_is_found(tmp_path: Path, code: str, name: str) -> None:
    """Whatever its version."""
    (tmp_path / "main.tf").write_text(code + "\n")

    with pytest.raises(LacksFeatureError, match=rf"^{name} need OpenTofu 1\.\d+; this is T"):
        require(NEW, tmp_path, ["plan"])
    require(TOFU, tmp_path, ["plan"])


def test_what_only_looks_like_it_is_not_found(tmp_path: Path) -> None:
    """In another block, or in one that Terraform has, too."""
    (tmp_path / "main.tf").write_text(
        'provider "crusoe" {}\nresource "a" "b" {\n  for_each = var.c\n}\n'
        "removed {\n  from = a.d\n  lifecycle {\n    destroy = false\n  }\n}\n"
        'provider "crusoe" {\n  alias = "x"\n}\nlocals {\n  enabled = 1\n}\n'
    )

    assert {feature.name for feature in used(tmp_path, ["plan"])} == {"removed blocks"}


@pytest.mark.parametrize(
    "args", [["plan", "-generate-config-out=x.tf"], ["test"], ["query"], ["apply", "-invoke=a.b.c"]]
)
def test_a_feature_is_found_in_the_command(tmp_path: Path, args: list[str]) -> None:
    """Where the configuration is an ordinary one."""
    (tmp_path / "main.tf").write_text('resource "crusoe_storage_token" "t" {}\n')

    with pytest.raises(LacksFeatureError):
        require(OLD, tmp_path, args)
    require(NEW, tmp_path, args)


def test_opentofu_has_versions_of_its_own(tmp_path: Path) -> None:
    """Some features came with another one, some never."""
    require(TOFU, tmp_path, ["test"])
    with pytest.raises(LacksFeatureError, match=r"need Terraform 1\.14; this is OpenTofu 1\.12\.6"):
        require(TOFU, tmp_path, ["query"])


def test_an_ordinary_configuration_needs_nothing(tmp_path: Path) -> None:
    """Files of tests count only when tests are run."""
    (tmp_path / "main.tf").write_text('resource "crusoe_storage_token" "t" {}\n')
    (tmp_path / "a.tftest.hcl").write_text('mock_provider "crusoe" {}\n')

    assert list(used(tmp_path, ["plan"])) == []
    assert {feature.name for feature in used(tmp_path, ["test"])} == {"terraform test", "mocks"}
