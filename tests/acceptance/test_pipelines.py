"""The pipelines in examples/pipelines, run step by step in an environment that has nothing else.

What a runner brings is stood in for: the checkout, a cache that has been filled before, the place
where artefacts lie between two jobs. The commands are those of the files.
"""

import os
import re
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import terraforms
from harness.sandbox import measuring
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

EXAMPLES = Path(__file__).parents[2] / "examples" / "pipelines"
VENV = Path(sys.executable).parent
CONFIGURATION = """\
terraform {{
  required_providers {{
    crusoe = {{
      source = "crusoe-community/crusoe"
    }}
  }}
  backend "local" {{
    path = "{state}"
  }}
}}

provider "crusoe" {{}}

resource "crusoe_storage_token" "ci" {{
  alias = "{alias}"
}}
"""


class GitLabLoader(yaml.SafeLoader):
    """Reads `!reference`, too."""


def reference(loader: GitLabLoader, node: yaml.SequenceNode) -> tuple[str, ...]:
    return tuple(loader.construct_sequence(node))


GitLabLoader.add_constructor("!reference", reference)


class Runner(ABC):
    """Runs the jobs of one pipeline.

    Args:
        folder: An empty folder; each job has a home and a checkout of its own in it.
        crusoe: The API.
    """

    def __init__(self, folder: Path, crusoe: Crusoe) -> None:
        self._folder = folder
        self._repository = folder / "repository"
        self._artifacts = folder / "artifacts"
        self._bin = folder / "bin"
        for new in (self._repository, self._artifacts, self._bin):
            new.mkdir()
        (self._bin / "terraform").symlink_to(terraforms.executable())
        self._secrets = crusoe.variables() | {
            "CRUSOE_ORGANIZATION_ID": crusoe.organization.id,
            "PLAN_PASSPHRASE": "correct horse battery staple",
        }
        self._jobs = 0
        self.commit("ci")

    def commit(self, alias: str) -> None:
        """Make a configuration the one of the repository."""
        text = CONFIGURATION.format(state=self._folder / "terraform.tfstate", alias=alias)
        (self._repository / "main.tf").write_text(text)

    def artifacts(self) -> dict[str, bytes]:
        """Return what lies between the jobs."""
        return {path.name: path.read_bytes() for path in self._artifacts.iterdir()}

    def run(self, job: str) -> str:
        """Run a job that has to succeed, and return its output."""
        code, output = self.try_to_run(job)
        assert code == 0, output
        return output

    def try_to_run(self, job: str) -> tuple[int, str]:
        """Run a job; return its exit code, and its output."""
        self._jobs += 1
        root = self._folder / f"job-{self._jobs}"
        home, checkout = root / "home", root / "checkout"
        home.mkdir(parents=True)
        shutil.copytree(self._repository, checkout)
        return self._run(job, home, checkout)

    @abstractmethod
    def _run(self, job: str, home: Path, checkout: Path) -> tuple[int, str]:
        """Run a job in a home folder and a checkout of its own."""

    def _shell(
        self, script: str, environment: dict[str, str], home: Path, checkout: Path
    ) -> tuple[int, str]:
        path = os.pathsep.join([str(self._bin), "/usr/bin", "/bin"])
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=checkout,
            env={"PATH": path, "HOME": str(home)} | measuring() | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout


class GitHub(Runner):
    """GitHub Actions, as far as the example needs it."""

    _file = yaml.safe_load((EXAMPLES / "github-actions" / "storage-tokens.yml").read_text())

    def _run(self, job: str, home: Path, checkout: Path) -> tuple[int, str]:
        assert self._file["defaults"]["run"]["shell"] == "bash"  # so with pipefail
        common = self._values(self._file["env"]) | {
            # Not on GitHub, where it is Crusoe's own.
            "CRUSOE_API_ENDPOINT": self._secrets["CRUSOE_API_ENDPOINT"]
        }
        output = ""
        failed = 0
        for step in self._file["jobs"][job]["steps"]:
            condition = step.get("if", "")
            if condition == "steps.cache.outputs.cache-hit != 'true'":
                assert "pip install" in step["run"]
                continue  # it is in the cache
            if failed and condition != "${{ !cancelled() }}":
                continue
            if "uses" in step:
                self._use(step, home, checkout)
                continue
            environment = common | self._values(step.get("env", {}))
            code, text = self._shell(step["run"], environment, home, checkout)
            output += text
            failed = failed or code
        return failed, output

    def _use(self, step: dict[str, Any], home: Path, checkout: Path) -> None:
        action = step["uses"].partition("@")[0]
        if action == "actions/cache":
            assert step["with"]["path"] == "~/crusoe"
            (home / "crusoe").mkdir()
            (home / "crusoe" / "bin").symlink_to(VENV)
        elif action == "actions/upload-artifact":
            shutil.copy(checkout / step["with"]["path"], self._artifacts)
        elif action == "actions/download-artifact":
            for path in self._artifacts.iterdir():
                shutil.copy(path, checkout)
        else:
            assert action in {
                "actions/checkout",
                "actions/setup-python",
                "hashicorp/setup-terraform",
            }

    def _values(self, environment: dict[str, str]) -> dict[str, str]:
        return {
            name: re.sub(r"\$\{\{ \w+\.(\w+) \}\}", lambda match: self._secrets[match[1]], value)
            for name, value in environment.items()
        }


class GitLab(Runner):
    """GitLab CI, as far as the example needs it."""

    _file = yaml.load(
        (EXAMPLES / "gitlab" / ".gitlab-ci.yml").read_text(),
        GitLabLoader,  # noqa: S506 - a safe one, with one tag more
    )

    def _run(self, job: str, home: Path, checkout: Path) -> tuple[int, str]:
        cache = checkout / ".cache"
        for path, target in (("bin", self._bin), ("crusoe/bin", VENV)):
            (cache / path).parent.mkdir(parents=True, exist_ok=True)
            (cache / path).symlink_to(target)
        for needed in self._file[job].get("needs", []):
            for path in self._file[needed]["artifacts"]["paths"]:
                shutil.copy(self._artifacts / path, checkout)
        script = "\n".join(self._lines(self._file[job]["script"]))
        environment = self._file["variables"] | self._secrets
        code, output = self._shell(script, environment, home, checkout)
        for path in self._file[job].get("artifacts", {}).get("paths", []):
            if (checkout / path).exists():
                shutil.copy(checkout / path, self._artifacts)
        return code, output

    def _lines(self, script: list[Any]) -> Iterator[str]:
        for line in script:
            if isinstance(line, tuple):
                name, key = line
                yield from self._lines(self._file[name][key])
            else:
                yield line


@pytest.mark.parametrize("runner", [GitHub, GitLab])
def test_a_pipeline_applies_the_plan_that_it_has_shown(
    tmp_path: Path, crusoe: Crusoe, runner: type[Runner]
) -> None:
    """Job by job; at night it says what has moved, and what expires."""
    pipeline = runner(tmp_path, crusoe)
    cloud = crusoe.simulator.cloud

    planned = pipeline.run("plan")
    assert cloud.keys() == []
    pipeline.commit("committed later")
    applied = pipeline.run("apply")

    assert "will perform the following actions" in planned
    assert "1 to add" in planned
    assert "0 of 2 used" in planned
    assert "1 added" in applied
    (key,) = cloud.keys()
    assert key.alias == "ci"
    (artifact,) = pipeline.artifacts().values()
    assert artifact.startswith(b"Salted__")
    assert key.secret_key not in planned + applied
    pipeline.commit("ci")
    assert "No changes." in pipeline.run("nightly")

    soon = (datetime.now(UTC) + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    forgotten = cloud.add_key(crusoe.user, alias="forgotten", expire_at=soon)
    cloud.remove_key(key.key_uuid)
    code, output = pipeline.try_to_run("nightly")
    assert code
    assert "problem  expiry         Within 7 days" in output
    assert "Storage token no longer exists" in output
    assert cloud.keys() == [forgotten]


@pytest.mark.parametrize("runner", [GitHub, GitLab])
def test_a_pipeline_stops_before_the_plan_if_something_is_missing(
    tmp_path: Path, crusoe: Crusoe, runner: type[Runner]
) -> None:
    """With the line that says what, and without an artefact that somebody would apply."""
    pipeline = runner(tmp_path, crusoe)
    pipeline._secrets["CRUSOE_ACCESS_KEY_ID"] = "CKIDREVOKED"

    code, output = pipeline.try_to_run("plan")

    assert code
    assert "problem  caller" in output
    assert "will perform the following actions" not in output
    assert pipeline.artifacts() == {}


def test_the_other_examples_are_what_their_programs_read() -> None:
    """Atlantis and HCP Terraform agents cannot be had here: their files are read, no more."""
    repos = yaml.safe_load((EXAMPLES / "atlantis" / "repos.yaml").read_text())
    (repository,) = repos["repos"]
    steps = repos["workflows"][repository["workflow"]]
    assert [list(steps[stage]["steps"])[-1] for stage in ("plan", "apply")] == ["plan", "apply"]
    scripts = [*(EXAMPLES / "hcp-terraform-agent" / "hooks").iterdir()]
    for script in (*scripts, EXAMPLES / "atlantis" / "nightly.sh"):
        assert script.stat().st_mode & 0o111, script
        subprocess.run(["sh", "-n", script], check=True)
    assert {script.name for script in scripts} == {"terraform-pre-plan", "terraform-pre-apply"}
