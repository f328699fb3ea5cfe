"""Plugins of other provider blocks, which are processes of their own under the same Terraform."""

import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = """
import os, sys
from crusoe_provider.providerserver.terraform import Terraform
terraform = Terraform(os.getppid(), {})
print(flush=True)
sys.stdin.readline()
terraform.configures(b"block", deferral_allowed=False, version="1.8.0")
print(flush=True)
sys.stdin.readline()
terraform.other_plugins()
print(flush=True)
sys.stdin.readline()
print(terraform.loads_whole_state())
"""
ALONE = """
import subprocess
subprocess.run([{python!r}, "-c", {plugin!r}], input="\\n\\n\\n", text=True, check=True)
"""
# Starts two plugins, the second once the first has come so many steps, and says what the one
# knows that lives longer.
STARTING = """
import subprocess
def start():
    return subprocess.Popen(
        [{python!r}, "-c", {plugin!r}],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
def step(plugin):
    plugin.stdin.write("\\n")
    plugin.stdin.flush()
    plugin.stdout.readline()
one = start()
one.stdout.readline()
for _ in range({before}):
    step(one)
other = start()
other.stdout.readline()
if {first_ends}:
    one.communicate("\\n\\n\\n")
    one = other
else:
    step(one)
    other.communicate("\\n\\n\\n")
print(one.communicate("\\n\\n\\n")[0].strip())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is looked for only later")
@pytest.mark.parametrize(("before", "first_ends"), [(0, True), (1, False)])
def test_a_plugin_of_another_block_counts_even_if_it_has_ended(
    tmp_path: Path, before: int, first_ends: bool
) -> None:
    """OpenTofu starts them one after the other; neither is shown the state of the other one."""
    code = STARTING.format(
        python=sys.executable, plugin=PLUGIN, before=before, first_ends=first_ends
    )
    (tmp_path / "plan").write_text(code)

    command = [sys.executable, "plan"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def test_a_plugin_without_another_one_is_shown_everything(tmp_path: Path) -> None:
    """As in most configurations."""
    code = ALONE.format(python=sys.executable, plugin=PLUGIN)
    (tmp_path / "plan").write_text(code)

    command = [sys.executable, "plan"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["True"]
