"""The workflows, as far as a reader of YAML can hold them to their rules."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
FILES = [
    *sorted((REPOSITORY / ".github" / "workflows").glob("*.yml")),
    # And what others copy.
    *sorted((REPOSITORY / "examples" / "pipelines" / "github-actions").glob("*.yml")),
]
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
# What exists at the end of 2026, and does not retire within a year.
RUNNERS = {
    *("ubuntu-24.04", "ubuntu-24.04-arm"),
    *("macos-15", "macos-15-intel", "macos-26"),
}

workflows = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def jobs(file: Path) -> dict[str, dict[str, Any]]:
    """Return the jobs of a workflow."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"]
    return found


def steps(file: Path) -> Iterator[dict[str, Any]]:
    """Yield every step of a workflow."""
    for job in jobs(file).values():
        yield from job["steps"]


@workflows
def test_every_action_is_pinned_by_its_commit(file: Path) -> None:
    """A tag can be moved to other code; a comment tells readers and bots the version."""
    for line in file.read_text(encoding="utf-8").splitlines():
        if "uses:" in line:
            assert PINNED.search(line), line


@workflows
def test_no_value_becomes_part_of_a_script(file: Path) -> None:
    """A tag named `$(…)` would be carried out; environment variables are only text."""
    for step in steps(file):
        assert "${{" not in step.get("run", ""), step


@workflows
def test_a_checkout_leaves_no_credentials_behind(file: Path) -> None:
    """What is installed later could read them."""
    for step in steps(file):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@workflows
def test_jobs_have_little_permission_and_an_end(file: Path) -> None:
    """Permissions are given by name, none is the default, and nothing hangs for hours."""
    whole = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert whole["permissions"] in ({}, {"contents": "read"})
    for job in whole["jobs"].values():
        assert job["timeout-minutes"] <= 60


@workflows
def test_runners_exist(file: Path) -> None:
    """A label that is gone leaves a job waiting for a day."""
    for job in jobs(file).values():
        matrix = job.get("strategy", {}).get("matrix", {})
        named = [job["runs-on"], *matrix.get("os", [])]
        named += [more["os"] for more in matrix.get("include", []) if "os" in more]
        assert {name for name in named if "${{" not in name} <= RUNNERS


@workflows
def test_a_cached_environment_is_for_one_python(file: Path) -> None:
    """It has links to the one that made it, which is gone once the image has a newer patch."""
    for job in jobs(file).values():
        pythons = set()
        for step in job["steps"]:
            action = step.get("uses", "").partition("@")[0]
            if action == "actions/setup-python":
                pythons.add(f"steps.{step.get('id')}.outputs.python-version")
            if action == "actions/cache":
                assert [name for name in pythons if name in step["with"]["key"]], step


def test_only_the_job_that_signs_has_the_key() -> None:
    """In an environment of its own; and it installs nothing."""
    release = jobs(REPOSITORY / ".github" / "workflows" / "release.yml")
    with_secrets = {name for name, job in release.items() if "secrets." in yaml.dump(job)}
    scripts = "\n".join(step.get("run", "") for step in release["sign"]["steps"])

    assert with_secrets == {"sign"}
    assert release["sign"]["environment"] == "release"
    assert "pip" not in scripts
    assert "make install" not in scripts


def test_every_python_that_is_claimed_is_tested() -> None:
    """The classifiers are what a package index shows."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    claimed = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    test = jobs(REPOSITORY / ".github" / "workflows" / "test.yml")

    assert test["everything"]["strategy"]["matrix"]["python"] == claimed


@pytest.mark.parametrize(
    ("product", "job", "name", "chosen"),
    [
        ("Terraform", "terraform", "terraform_version", "TERRAFORM=terraform"),
        ("OpenTofu", "opentofu", "tofu_version", "TERRAFORM=tofu"),
    ],
)
def test_every_terraform_and_opentofu_that_is_claimed_is_tested(
    product: str, job: str, name: str, chosen: str
) -> None:
    """By the whole of the acceptance tests; and the newest there is, whatever its number."""
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    (claim,) = re.findall(r"^Tested with (.*?), on Linux\.", readme, re.MULTILINE | re.DOTALL)
    (versions,) = re.findall(rf"{product} ((?:(?:, | and )?\d+\.\d+\.\d+)+)", claim)
    claimed = {*re.findall(r"\d+\.\d+\.\d+", versions), "latest"}
    test = jobs(REPOSITORY / ".github" / "workflows" / "test.yml")
    commands = [step.get("run") for step in test[job]["steps"]]
    # Every other check runs with this one.
    everything = [step.get("with", {}) for step in test["everything"]["steps"]]
    ordinary = {step["terraform_version"] for step in everything if "terraform_version" in step}

    if product == "Terraform":
        assert ordinary <= claimed
        claimed -= ordinary
    assert set(test[job]["strategy"]["matrix"]["version"]) == claimed
    assert any(name in step.get("with", {}) for step in test[job]["steps"])
    assert f"make acceptance {chosen}" in commands
