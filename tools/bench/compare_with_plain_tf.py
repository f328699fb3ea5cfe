"""What the plugin host adds to `tf`: the same faults through real Terraform, with and without it.

Prints a table for `docs/development/providerserver.md`. Run it with `make compare`.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench import plain_tf_provider
from crusoe_simulator.faults import Answer, Fault
from crusoe_simulator.server import Simulator
from harness.process import Running, still_running
from harness.result import Result
from harness.sandbox import PLUGIN, variables_of
from harness.workspace import Workspace

# How long Crusoe takes to answer a POST that is interrupted.
_POST_SECONDS = 2.0
_EXIT_SECONDS = 10.0
_LEFT = "the plugin was left running"

TOKEN = 'resource "crusoe_storage_token" "t" { alias = "t" }\n'
REFINED = (
    'resource "terraform_data" "d" { input = "x" }\n'
    'resource "crusoe_storage_token" "t" { alias = "a-${terraform_data.d.id}" }\n'
)

Scenario = Callable[[Workspace, Simulator], Result]


def interrupted(end: Callable[[Running], None]) -> Scenario:
    """Return an apply that is ended while its POST is being answered."""

    def scenario(workspace: Workspace, simulator: Simulator) -> Result:
        workspace.write(TOKEN)
        held = simulator.faults.add(Fault("create", hold="after"))
        running = workspace.start("apply", "-auto-approve")
        held.wait_arrived()
        plugins = workspace.plugin_processes()
        end(running)
        if end is not Running.kill:
            running.wait_for_output("Interrupt received")
        time.sleep(_POST_SECONDS)
        held.release()
        result = running.wait()
        left = still_running(plugins, _EXIT_SECONDS)
        for process in left:
            process.kill()
        return replace(result, stderr=result.stderr + (_LEFT if left else ""))

    return scenario


def cut(workspace: Workspace, simulator: Simulator) -> Result:
    """Apply, and lose the answer to the POST."""
    workspace.write(TOKEN)
    simulator.faults.add(Fault("create", cut="after"))
    return workspace.apply(json_ui=False)


def list_failing(workspace: Workspace, simulator: Simulator) -> Result:
    """Apply, and let every list after the POST fail."""
    workspace.write(TOKEN)
    held = simulator.faults.add(Fault("create", hold="after"))
    running = workspace.start("apply", "-auto-approve")
    held.wait_arrived()
    simulator.faults.add(Fault("list", times=None, answer=Answer(403, "{}")))
    held.release()
    return running.wait()


def refined(workspace: Workspace, simulator: Simulator) -> Result:
    """Plan with a value of which Terraform knows only how it begins."""
    del simulator
    workspace.write(REFINED)
    return workspace.plan(json_ui=False)


SCENARIOS: dict[str, Scenario] = {
    "Ctrl-C during the POST": interrupted(Running.interrupt),
    "SIGINT to Terraform alone": interrupted(Running.interrupt_terraform_only),
    "SIGKILL to Terraform": interrupted(Running.kill),
    "The list fails after the POST": list_failing,
    "The answer to the POST is cut": cut,
    "An alias that is partly known": refined,
}


def outcome(workspace: Workspace, simulator: Simulator, result: Result) -> str:
    """Return what is left, in words."""
    keys = simulator.cloud.keys()
    state = {i.attributes["access_key_id"]: i for i in workspace.instances().values()}
    words = []
    for key in keys:
        instance = state.get(key.access_key_id)
        if instance is None:
            named = key.access_key_id in result.text
            words.append("key in no state, named" if named else "**orphan: key in no state**")
        elif instance.attributes["secret_key"]:
            words.append("key and secret in the state")
        else:
            words.append("key in the state, tainted")
    words += [] if keys else ["no key"]
    if _LEFT in result.stderr:
        words.append(f"**{_LEFT}**")
    if "did not respond" in result.text:
        words.append('"Plugin did not respond"')
    elif result.errors:
        words.append(f'error: "{result.errors[0].summary}"')
    return "; ".join(words)


def run(plugin: Path, scenario: Scenario) -> str:
    """Run a scenario with a plugin, and return the outcome."""
    with Simulator() as simulator, tempfile.TemporaryDirectory() as folder:
        organization = simulator.cloud.add_organization("acme")
        user = simulator.cloud.add_user("dev@acme.example", organization)
        with Workspace(
            Path(folder), plugin=plugin, variables=variables_of(user, simulator)
        ) as workspace:
            return outcome(workspace, simulator, scenario(workspace, simulator))


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "terraform-provider-crusoe"
        plain.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{plain_tf_provider.__file__}"\n')
        plain.chmod(0o700)
        print("| | `tf` alone | this plugin host |\n| --- | --- | --- |")
        for name, scenario in SCENARIOS.items():
            print(f"| {name} | {run(plain, scenario)} | {run(PLUGIN, scenario)} |")


if __name__ == "__main__":
    main()
