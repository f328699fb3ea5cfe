"""The real Terraform in a folder of its own, isolated from this machine and from other runs."""

import itertools
import json
import shutil
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import psutil

from crusoe_provider.version import __version__
from harness import features, terraforms
from harness.process import (
    EXIT_SECONDS,
    RUN_SECONDS,
    Running,
    plugin_processes,
    run_on_a_terminal,
    still_running,
)
from harness.result import Plan, Result
from harness.sandbox import (
    PLUGIN_NAME,
    REQUIRED,
    SOURCE,
    environment,
    install_into_mirror,
    mirror_configuration,
    override_configuration,
)

LogLevel = Literal["TRACE", "DEBUG", "INFO", "WARN", "ERROR"]

EXAMPLES: Final = terraforms.REPOSITORY / "examples" / "terraform"


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance of a resource in a state file.

    Attributes:
        address: Its address.
        attributes: Its values, sensitive ones in the clear.
        tainted: Whether the next apply replaces it.
    """

    address: str
    attributes: Mapping[str, Any]
    tainted: bool


class Workspace:
    """A configuration with its state, and Terraform to run on it.

    A context manager: leaving it ends what is still running, and fails if a plugin was left over.

    Args:
        folder: An empty folder. The configuration lives in its `work`, home folder and logs beside
            it.
        plugin: The plugin's executable. Without one, only Terraform's built-in provider is there,
            and a provider called `crusoe` is not required either.
        mirror: Install the plugin by `terraform init` from a filesystem mirror, as users do,
            instead of overriding it in place, where no `init` is needed.
        overrides: Executables of further plugins to override, by source address. Their names have
            to begin with `terraform-provider-`.
        variables: Environment variables beside those that Terraform needs, such as `CRUSOE_…`.
        terraform: Terraform's executable. Default: the one that `terraforms` gives.
    """

    def __init__(
        self,
        folder: Path,
        *,
        plugin: Path | None = None,
        mirror: bool = False,
        overrides: Mapping[str, Path] | None = None,
        variables: Mapping[str, str] | None = None,
        terraform: Path | None = None,
    ) -> None:
        self.folder = folder / "work"
        self.home = folder / "home"
        self.variables = dict(variables or {})
        self.logs = folder / "logs"
        for new in (self.folder, self.home, self.logs):
            new.mkdir()
        self.executable = terraform or terraforms.executable()
        self.cli_configuration = folder / "terraform.tfrc"
        self._numbers = itertools.count(1)
        self._running: list[Running] = []
        overridden = {source: path.parent for source, path in (overrides or {}).items()}
        if plugin and mirror:
            install_into_mirror(folder / "mirror", plugin, __version__)
            self.cli_configuration.write_text(mirror_configuration(folder / "mirror"))
        else:
            if plugin:
                overridden[SOURCE] = folder / "plugin"
                overridden[SOURCE].mkdir()
                (overridden[SOURCE] / PLUGIN_NAME).symlink_to(plugin)
            self.cli_configuration.write_text(override_configuration(overridden))
        if plugin:
            self.write(REQUIRED, name="versions.tf")

    def write(self, text: str, *, name: str = "main.tf") -> Path:
        """Write a file of the configuration, indentation removed, over the one of that name.

        `versions.tf` is there from the start and requires the provider.
        """
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def use_example(self, name: str | Path) -> None:
        """Make an example, or a folder anywhere, the configuration, as it stands there."""
        (self.folder / "versions.tf").unlink()
        others = shutil.ignore_patterns(".terraform*", "*.tfstate*")
        shutil.copytree(EXAMPLES / name, self.folder, ignore=others, dirs_exist_ok=True)

    def init(self, *args: str) -> Result:
        """Run `terraform init`."""
        return self.run("init", *args)

    def validate(self) -> Result:
        """Run `terraform validate`; its answer is a JSON document."""
        return self.run("validate", "-json")

    def plan(
        self,
        *args: str,
        out: str | None = None,
        json_ui: bool = True,
        log: LogLevel | None = None,
    ) -> Plan:
        """Run `terraform plan`, and keep the plan in a file.

        Args:
            args: Further arguments.
            out: Name of the plan file, for `apply`. Default: a new one.
            json_ui: Whether to print JSON, which makes `diagnostics` exact, or what users see.
            log: Whether to log, and what.
        """
        file = out or f"plan-{next(self._numbers)}.tfplan"
        result = self.run("plan", *_ui(json_ui), f"-out={file}", *args, log=log)
        known = {field.name: getattr(result, field.name) for field in fields(Result)}
        return Plan(**known, show=lambda: self.show_json(file))

    def apply(self, *args: str, json_ui: bool = True, log: LogLevel | None = None) -> Result:
        """Run `terraform apply` without asking; of a saved plan, if `args` end with its name."""
        return self.run("apply", *_ui(json_ui), "-auto-approve", *args, log=log)

    def destroy(self, *args: str, json_ui: bool = True, log: LogLevel | None = None) -> Result:
        """Run `terraform destroy` without asking."""
        return self.run("destroy", *_ui(json_ui), "-auto-approve", *args, log=log)

    def refresh(self, *args: str, json_ui: bool = True) -> Result:
        """Bring the state in line with reality."""
        return self.run("apply", *_ui(json_ui), "-auto-approve", "-refresh-only", *args)

    def import_(self, address: str, identifier: str, *args: str) -> Result:
        """Run `terraform import`, which prints no JSON."""
        return self.run("import", *args, address, identifier)

    def show_json(self, plan: str | None = None) -> dict[str, Any]:
        """Return a plan file, or else the state, as `terraform show -json` gives it."""
        result = self.run("show", "-json", *([plan] if plan else []))
        document: dict[str, Any] = json.loads(result.succeeded().stdout)
        return document

    def output_json(self) -> dict[str, Any]:
        """Return the values of all outputs, sensitive ones in the clear."""
        result = self.run("output", "-json").succeeded()
        return {name: output["value"] for name, output in json.loads(result.stdout).items()}

    def console(self, expression: str) -> Result:
        """Evaluate one line in `terraform console`."""
        return self.run("console", stdin=f"{expression}\n")

    def state(self) -> dict[str, Any] | None:
        """Return the state file as it is; `None` if there is none, or an empty one."""
        path = self.folder / "terraform.tfstate"
        if not path.exists() or not path.stat().st_size:
            return None
        document: dict[str, Any] = json.loads(path.read_bytes())
        return document

    def instances(self) -> dict[str, Instance]:
        """Return all instances of managed resources in the state file, by address."""
        resources = (self.state() or {"resources": []})["resources"]
        instances = (
            Instance(_address(resource, instance), instance["attributes"], _tainted(instance))
            for resource in resources
            if resource["mode"] == "managed"
            for instance in resource["instances"]
        )
        return {instance.address: instance for instance in instances}

    def run(self, *args: str, stdin: str = "", log: LogLevel | None = None) -> Result:
        """Run any command to its end."""
        return self.start(*args, stdin=stdin, log=log).wait(RUN_SECONDS)

    def start(self, *args: str, stdin: str = "", log: LogLevel | None = None) -> Running:
        """Start any command, and return at once.

        Raises:
            LacksFeatureError: Somebody has chosen a Terraform that cannot do it.
        """
        self._require(args)
        log_file = self.logs / f"{next(self._numbers)}-{args[0]}.log" if log else None
        logging = {"TF_LOG": log, "TF_LOG_PATH": str(log_file)} if log else {}
        running = Running(
            self.executable,
            args,
            folder=self.folder,
            environment=self._environment() | logging,
            stdin=stdin,
            log=log_file,
        )
        self._running.append(running)
        return running

    def run_on_a_terminal(self, *args: str, size: tuple[int, int]) -> str:
        """Run a command on a terminal of so many rows and columns; return what it prints there.

        Raises:
            LacksFeatureError: Somebody has chosen a Terraform that cannot do it.
        """
        self._require(args)
        colours = {"TF_CLI_ARGS": "", "TERM": "xterm-256color"}
        return run_on_a_terminal(
            self.executable,
            args,
            folder=self.folder,
            environment=self._environment() | colours,
            size=size,
        )

    def plugin_processes(self) -> list[psutil.Process]:
        """Return the plugins of this workspace that are running."""
        sessions = {running.pid for running in self._running}
        return plugin_processes(sessions, self.home, self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for running in self._running:
            running.abandon()
        # After the death of its Terraform a plugin finishes what it does, then goes.
        left = still_running(self.plugin_processes(), 0 if error else EXIT_SECONDS)
        for process in left:
            process.kill()
        still_running(left, EXIT_SECONDS)
        if left and not error:
            raise AssertionError(f"plugins left running after {EXIT_SECONDS} s: {left}")

    def _require(self, args: tuple[str, ...]) -> None:
        if terraforms.is_chosen():
            features.require(terraforms.version(self.executable), self.folder, args)

    def _environment(self) -> dict[str, str]:
        return environment(self.home, self.cli_configuration) | self.variables


def _ui(json_ui: bool) -> tuple[str, ...]:
    return ("-json",) if json_ui else ()


def _address(resource: Mapping[str, Any], instance: Mapping[str, Any]) -> str:
    module = f"{resource['module']}." if "module" in resource else ""
    key = f"[{json.dumps(instance['index_key'])}]" if "index_key" in instance else ""
    return f"{module}{resource['type']}.{resource['name']}{key}"


def _tainted(instance: Mapping[str, Any]) -> bool:
    return bool(instance.get("status") == "tainted")
