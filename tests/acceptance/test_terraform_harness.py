"""The harness that the acceptance tests stand on, on Terraform's built-in resource."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from crusoe_simulator.faults import Fault
from harness import terraforms
from harness.process import EXIT_SECONDS, still_running
from harness.workspace import Workspace
from support.plugin_starts import has_grpc
from support.simulator_fixtures import Crusoe

pytestmark = pytest.mark.acceptance

ONE_RESOURCE = """\
    resource "terraform_data" "one" {
      input = "a"
    }

    output "input" {
      value     = terraform_data.one.output
      sensitive = true
    }
"""
# Runs until a signal ends it, and says when the signal can be sent.
ENDLESS_APPLY = """\
    resource "terraform_data" "endless" {
      provisioner "local-exec" {
        command = "echo under way; exec sleep 300"
      }
    }
"""


def test_a_life_cycle_shows_in_changes_state_and_outputs(tmp_path: Path) -> None:
    """Plan, apply, plan again, show, destroy: each can be asked what it did."""
    with Workspace(tmp_path) as workspace:
        workspace.write(ONE_RESOURCE)

        first = workspace.plan()
        applied = workspace.apply()
        second = workspace.plan("-detailed-exitcode")
        instance = workspace.instances()["terraform_data.one"]
        outputs = workspace.output_json()
        shown = workspace.show_json()
        workspace.destroy().succeeded()

        assert first.succeeded().actions == {"terraform_data.one": "create"}
        assert first.changes["terraform_data.one"].after == {"input": "a", "triggers_replace": None}
        assert first.changes["terraform_data.one"].unknown == {"id", "output"}
        assert applied.succeeded().diagnostics == ()
        assert second.exit_code == 0
        assert second.actions == {}
        assert second.changes["terraform_data.one"].action == "no-op"
        assert instance.attributes["output"]["value"] == "a"
        assert outputs == {"input": "a"}
        assert shown["values"]["outputs"]["input"]["sensitive"] is True
        assert workspace.instances() == {}


def test_a_saved_plan_is_applied_by_name(tmp_path: Path) -> None:
    """`-out` in one process, `apply` in the next."""
    with Workspace(tmp_path) as workspace:
        workspace.write(ONE_RESOURCE)
        workspace.plan(out="saved").succeeded()

        workspace.apply("saved").succeeded()

        assert set(workspace.instances()) == {"terraform_data.one"}


def test_a_plan_with_changes_is_a_success(tmp_path: Path) -> None:
    """With `-detailed-exitcode` Terraform returns 2 for it."""
    with Workspace(tmp_path) as workspace:
        workspace.write(ONE_RESOURCE)

        plan = workspace.plan("-detailed-exitcode")

        assert plan.exit_code == 2
        assert plan.succeeded().actions == {"terraform_data.one": "create"}


def test_a_run_tells_the_actions_that_are_in_the_plan(tmp_path: Path) -> None:
    """So they need not be read from the plan, which would start Terraform once more."""
    one = 'resource "terraform_data" "%s" {\n  input = "%s"\n}\n'
    moved = "moved {\n  from = terraform_data.before\n  to = terraform_data.after\n}\n"
    names = ("same", "changed", "gone", "before")
    with Workspace(tmp_path) as workspace:
        workspace.write("".join(one % (name, "a") for name in names))
        workspace.apply().succeeded()
        after = (("same", "a"), ("changed", "b"), ("after", "a"), ("new", "a"))
        workspace.write("".join(one % each for each in after) + moved)

        plan = workspace.plan().succeeded()

        expected = {"changed": "update", "gone": "delete", "new": "create"}
        assert plan.actions == {f"terraform_data.{n}": a for n, a in expected.items()}
        stay = {a for a, change in plan.changes.items() if change.action == "no-op"}
        assert {a: c.action for a, c in plan.changes.items() if a not in stay} == plan.actions
        assert stay == {"terraform_data.same", "terraform_data.after"}


def test_a_replacement_names_the_attribute_that_forces_it(tmp_path: Path) -> None:
    """And the address has the key of `for_each`, as in the configuration."""
    configuration = """\
        resource "terraform_data" "each" {
          for_each         = toset(["x"])
          triggers_replace = "%s"
        }
    """
    with Workspace(tmp_path) as workspace:
        workspace.write(configuration % "before")
        workspace.apply().succeeded()
        workspace.write(configuration % "after")

        change = workspace.plan().changes['terraform_data.each["x"]']

        assert change.action == "replace"
        assert change.replaced_because_of == {"triggers_replace"}
        assert list(workspace.instances()) == ['terraform_data.each["x"]']


@pytest.mark.parametrize("json_ui", [True, False], ids=["json", "text"])
def test_a_diagnostic_says_where_it_is(tmp_path: Path, json_ui: bool) -> None:
    """The argument of the configuration comes out of both forms of output."""
    configuration = """\
        resource "terraform_data" "one" {
          lifecycle {
            precondition {
              condition     = length(terraform.workspace) == 0
              error_message = "Not here."
            }
          }
        }
    """
    with Workspace(tmp_path) as workspace:
        workspace.write(configuration)

        plan = workspace.plan(json_ui=json_ui)

        error = plan.failed_with("Resource precondition failed", attribute="condition")
        assert error.detail == "Not here."
        assert plan.warnings == ()


@pytest.mark.parametrize("json_ui", [True, False], ids=["json", "text"])
def test_a_diagnostic_says_what_it_concerns(tmp_path: Path, json_ui: bool) -> None:
    """The resource comes out of both forms of output; here no argument is to blame."""
    configuration = """\
        resource "terraform_data" "one" {
          provisioner "local-exec" {
            command = "exit 7"
          }
        }
    """
    with Workspace(tmp_path) as workspace:
        workspace.write(configuration)

        applied = workspace.apply(json_ui=json_ui)

        error = applied.failed_with("local-exec provisioner error", address="terraform_data.one")
        assert error.attribute is None
        assert "exit status 7" in error.detail


@pytest.mark.needs_terraform("1.5", opentofu="1.6")  # for the words
def test_a_failed_assertion_shows_the_whole_run(tmp_path: Path) -> None:
    """Command, exit code and messages are what somebody needs who reads a test report."""
    with Workspace(tmp_path) as workspace:
        workspace.write('resource "unknown_thing" "a" {\n')

        result = workspace.validate()

        with pytest.raises(AssertionError, match="Unclosed configuration block"):
            result.succeeded()
        with pytest.raises(AssertionError, match="validate -json -> exit code 1"):
            result.failed_with("Another summary")


def test_commands_without_json_have_diagnostics_too(tmp_path: Path) -> None:
    """`terraform import` and `terraform console` print text only."""
    with Workspace(tmp_path) as workspace:
        workspace.write(ONE_RESOURCE)

        imported = workspace.import_("terraform_data.two", "x")
        evaluated = workspace.console('upper("a")')

        assert "terraform_data.two" in imported.failed().errors[0].summary
        assert evaluated.succeeded().stdout == '"A"\n'


def test_nothing_of_this_machine_leaks_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of Terraform, the plugin and Python in the test's own environment do not count."""
    for name in ("TF_VAR_x", "CRUSOE_SECRET_KEY", "PYTHONPATH", "AWS_PROFILE"):
        monkeypatch.setenv(name, "leaked")
    with Workspace(tmp_path, variables={"GIVEN": "yes"}) as workspace:
        workspace.write("""\
            resource "terraform_data" "one" {
              provisioner "local-exec" {
                command = "env"
              }
            }
        """)

        output = workspace.apply(json_ui=False).succeeded().text

        assert "leaked" not in output
        assert "GIVEN=yes" in output
        assert f"HOME={workspace.home}" in output
        # An OpenTofu makes its folder there, and leaves it empty.
        assert [path for path in workspace.home.rglob("*") if not path.is_dir()] == []


def test_no_provider_is_fetched_from_the_network(tmp_path: Path) -> None:
    """With or without a plugin of ours; `init` fails at once instead."""
    with Workspace(tmp_path) as workspace:
        workspace.write('provider "null" {}')

        result = workspace.init()

        assert "hashicorp/null" in result.failed().text


def test_the_log_is_kept_beside_the_output(tmp_path: Path) -> None:
    """It belongs to one run, and is not part of what users see."""
    with Workspace(tmp_path) as workspace:
        workspace.write(ONE_RESOURCE)

        logged = workspace.plan(log="TRACE")
        quiet = workspace.plan()

        assert "[TRACE]" in logged.log
        assert "[TRACE]" not in logged.text
        assert quiet.log == ""


@pytest.mark.parametrize("to_the_group", [True, False], ids=["group", "terraform"])
def test_a_run_can_be_interrupted(tmp_path: Path, to_the_group: bool) -> None:
    """Whether Ctrl-C or a signal to Terraform alone, it ends in Terraform's own way."""
    with Workspace(tmp_path) as workspace:
        workspace.write(ENDLESS_APPLY)
        running = workspace.start("apply", "-auto-approve")
        running.wait_for_output("under way")

        if to_the_group:
            running.interrupt()
        else:
            running.interrupt_terraform_only()
        result = running.wait()

        assert "Interrupt received" in result.failed().text
        assert result.exit_code > 0  # ended by itself, not by the signal


def test_who_is_interrupted_while_waiting_lets_it_end(tmp_path: Path) -> None:
    """Ctrl-C in a test or in the demonstration: Terraform is asked to stop, not killed."""
    with Workspace(tmp_path) as workspace, ThreadPoolExecutor() as executor:
        workspace.write(ENDLESS_APPLY)
        running = workspace.start("apply", "-auto-approve")

        def interrupt() -> None:
            running.wait_for_output("under way")
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        interrupted = executor.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            running.wait()

        interrupted.result()
        result = running.wait()
        assert "Interrupt received" in result.failed().text
        assert result.exit_code > 0


def test_a_run_can_be_killed(tmp_path: Path) -> None:
    """SIGKILL leaves Terraform no time to say anything."""
    with Workspace(tmp_path) as workspace:
        workspace.write(ENDLESS_APPLY)
        running = workspace.start("apply", "-auto-approve")
        running.wait_for_output("under way")

        running.kill()

        assert running.wait().exit_code == -signal.SIGKILL


def test_a_run_that_does_not_end_fails_with_its_output(tmp_path: Path) -> None:
    """Rather than with a test that hangs; and it is gone afterwards."""
    with Workspace(tmp_path) as workspace:
        workspace.write(ENDLESS_APPLY)
        running = workspace.start("apply", "-auto-approve")
        running.wait_for_output("under way")

        with pytest.raises(AssertionError, match=r"did not end within 0 s(.|\n)*under way"):
            running.wait(timeout=0)

        assert not psutil.pid_exists(running.pid)


def test_output_that_never_comes_fails_the_test(tmp_path: Path) -> None:
    """As soon as the run is over, without waiting for the time limit."""
    with Workspace(tmp_path) as workspace:
        workspace.write(ONE_RESOURCE)
        running = workspace.start("validate")

        with pytest.raises(AssertionError, match=r"expected 'never'(.|\n)*configuration is valid"):
            running.wait_for_output("never")


def test_a_plugin_left_running_fails_the_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plugin that outlives its Terraform is found by its environment, and ended."""
    monkeypatch.setattr("harness.workspace.EXIT_SECONDS", 0.1)
    started = tmp_path / "started"
    os.mkfifo(started)
    plugin = _executable(tmp_path / "stubborn", f"echo > '{started}'; exec sleep 300")

    with (  # noqa: PT012 - the context manager's end is what fails
        pytest.raises(AssertionError, match="plugins left running"),
        Workspace(tmp_path, plugin=plugin) as workspace,
    ):
        workspace.write('data "crusoe_storage_tokens" "all" {}')
        running = workspace.start("plan")
        started.read_bytes()  # returns once the plugin has opened its end
        running.kill()
        running.wait()
        left = workspace.plugin_processes()

    assert len(left) == 1
    assert not still_running(left, 10)


def test_a_plugin_that_needs_no_start_is_found_too(
    workspace: Workspace, crusoe: Crusoe, plugins_start: str
) -> None:
    """By the folder it runs in: it was forked ahead, in another environment."""
    if plugins_start != "ready":
        pytest.skip(f"plugins start {plugins_start}")
    workspace.write('data "crusoe_storage_tokens" "all" {}')
    fault = crusoe.simulator.faults.add(Fault("list", hold="before"))
    running = workspace.start("plan")
    fault.wait_arrived()

    serving = [process for process in workspace.plugin_processes() if has_grpc(process)]

    fault.release()
    running.wait().succeeded()
    assert len(serving) == 1
    assert not still_running(serving, EXIT_SECONDS)


def test_a_plugin_is_installed_from_a_mirror(tmp_path: Path) -> None:
    """`terraform init` finds its version and writes its hash into the lock file."""
    plugin = _executable(tmp_path / "plugin", "exit 1")
    with Workspace(tmp_path, plugin=plugin, mirror=True) as workspace:
        result = workspace.init()

        assert "Installed crusoe-community/crusoe v" in result.succeeded().stdout
        assert "h1:" in (workspace.folder / ".terraform.lock.hcl").read_text()


@pytest.mark.needs_terraform("1.12")
def test_a_test_that_needs_a_newer_terraform_gets_it(
    tmp_path: Path, newest_terraform: Path
) -> None:
    """Without a word where the one on the path is too old."""
    with Workspace(tmp_path) as workspace:
        shown = workspace.run("version").succeeded().stdout

        assert terraforms.version(workspace.executable).has("1.12", None)
        assert f"v{'.'.join(map(str, terraforms.version(workspace.executable).number))}" in shown
        assert terraforms.version(newest_terraform).number >= (1, 15, 5)


def test_the_newest_terraform_can_be_interrupted(tmp_path: Path, newest_terraform: Path) -> None:
    """It is a library in a Python process, which must not swallow the signal."""
    with Workspace(tmp_path, terraform=newest_terraform) as workspace:
        workspace.write(ENDLESS_APPLY)
        running = workspace.start("apply", "-auto-approve")
        running.wait_for_output("under way")

        running.interrupt_terraform_only()

        assert "Interrupt received" in running.wait().failed().text


def test_a_terminal_shows_colours(tmp_path: Path) -> None:
    """As users see them; `run` has none."""
    with Workspace(tmp_path) as workspace:
        workspace.write(ONE_RESOURCE)

        shown = workspace.run_on_a_terminal("plan", size=(50, 100))

        assert "\x1b[32m+\x1b[0m" in shown
        assert "\r" not in shown
        assert "\x1b[" not in workspace.plan(json_ui=False).text


def _executable(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return path
