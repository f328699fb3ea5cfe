"""Random sequences of everything that can happen; whatever comes, no key is lost.

A few short sequences run with all tests. `make soak` runs many, and prints the seed of one that
fails: CHAOS_SEED=… with the same target repeats it.
"""

import base64
import json
import os
import random
import re
from typing import Any, Final

import pytest

from crusoe_provider.provider.diagnostics import SECRET_VARIABLE
from crusoe_provider.tokens.encryption import decrypt
from crusoe_provider.tokens.errors import WrongCiphertext
from crusoe_simulator.faults import Answer, Fault
from harness import terraforms
from harness.process import EXIT_SECONDS, Running, still_running
from harness.result import Result
from harness.workspace import Workspace
from support.keys import AGE, AGE_IDENTITY, SSH, SSH_IDENTITY
from support.simulator_fixtures import Crusoe

pytestmark = [pytest.mark.acceptance, pytest.mark.own_start]

SEQUENCES: Final = int(os.environ.get("CHAOS_SEQUENCES", "2"))
STEPS: Final = int(os.environ.get("CHAOS_STEPS", "8"))
FIRST_SEED: Final = int(os.environ.get("CHAOS_SEED", "1"))

HTML: Final = Answer(502, "<html>Bad gateway</html>", "text/html")
FAULTS: Final[tuple[dict[str, Any], ...]] = (
    {"operation": "create", "cut": "before"},
    {"operation": "create", "cut": "after"},
    {"operation": "create", "cut": "within"},
    {"operation": "create", "answer": HTML, "carried_out": True},
    {"operation": "create", "answer": Answer(500, "{}")},
    {"operation": "create", "answer": Answer(429, "{}")},
    {"operation": "create", "patch": {"secret_key": None}},
    {"operation": "list", "answer": HTML},
    {"operation": "list", "answer": Answer(200, "[]")},
    {"operation": "list", "times": 9, "answer": Answer(403, "{}")},
    {"operation": "delete", "cut": "after"},
    {"operation": "delete", "answer": Answer(500, "{}"), "carried_out": True},
    {"operation": "delete", "times": 9, "answer": Answer(403, "{}")},
    {"operation": "identity", "cut": "before"},
    {"operation": "create", "cut": "before", "late": 3.0},
    {"operation": "create", "delay_before": 3.0},
)
UGLY: Final = ("did not respond", "Traceback", "bug in the provider", "Unexpected error in")
NO_SLOT: Final = "No free slot for the storage token"
ACCESS_KEY_ID: Final = re.compile(r"CKIA\w{16}")


class Chaos:
    """One sequence.

    Args:
        workspace: Terraform.
        crusoe: Crusoe.
        seed: Decides everything.
        rotating: Whether with one rotating token, which needs both slots, in place of plain ones.
    """

    def __init__(
        self, workspace: Workspace, crusoe: Crusoe, seed: int, *, rotating: bool = False
    ) -> None:
        self.rotating = rotating
        self.workspace = workspace
        self.cloud = crusoe.simulator.cloud
        self.faults = crusoe.simulator.faults
        self.user = crusoe.user
        self.random = random.Random(seed)  # noqa: S311 - to be repeatable
        self.steps: list[str] = []
        self.not_ours: set[str] = set()
        self.named: set[str] = set()
        self.unsure = False

    def configuration(self, *, forgets: str | None = None) -> str:
        """Return up to two tokens; one may be forgotten without being destroyed."""
        if self.rotating:
            return self.rotating_configuration()
        names = [name for name in "abc" if name != forgets]
        blocks = [self.token(name) for name in self.random.sample(names, self.random.randint(0, 2))]
        if forgets:
            blocks.append(
                f"removed {{\n  from = crusoe_storage_token.{forgets}\n"
                "  lifecycle {\n    destroy = false\n  }\n}\n"
            )
        settings = '  max_retries     = 1\n  request_timeout = "2s"\n'
        return f'provider "crusoe" {{\n{settings}}}\n' + "".join(blocks)

    def token(self, name: str) -> str:
        """Return a token, which may be created before its predecessor is destroyed."""
        lines = [f'alias = "{name}{self.random.randint(1, 2)}"']
        lines += self.random.choice(
            [[], ['expires_after = "90d"'], ['expires_at = "2040-01-01T00:00:00Z"']]
        )
        if self.random.random() < 0.3:
            lines.append(f'rotate_when_changed = {{ n = "{self.random.randint(1, 2)}" }}')
        if self.random.random() < 0.3:
            lines.append("lifecycle {\n    create_before_destroy = true\n  }")
        # It fails while there is a file of that name.
        lines.append('provisioner "local-exec" {\n    command = "test ! -e broken"\n  }')
        lines.append('timeouts {\n    create = "2s"\n  }')
        body = "".join(f"  {line}\n" for line in lines)
        return f'resource "crusoe_storage_token" "{name}" {{\n{body}}}\n'

    def rotating_configuration(self) -> str:
        """Return a rotating token, in one of the ways to write it; rarely none."""
        lines = [f'alias = "r{self.random.randint(1, 2)}"']
        lines.append(f'rotate_when_changed = {{ n = "{self.random.randint(1, 3)}" }}')
        if self.random.random() < 0.3:
            lines.append('expires_after = "90d"')
        if self.random.random() < 0.5:
            lines.append(f'encrypt_to = ["{self.random.choice([AGE, SSH])}"]')
        lines += ["timeouts {", '  create = "2s"', '  update = "2s"', "}"]
        body = "".join(f"  {line}\n" for line in lines)
        block = f'resource "crusoe_storage_rotating_token" "r" {{\n{body}}}\n'
        if self.random.random() < 0.1:
            block = ""
        return f'provider "crusoe" {{\n  max_retries = 1\n}}\n{block}'

    # -- What can happen -----------------------------------------------------------------------

    def configure(self) -> None:
        self.workspace.write(self.configuration())
        self.apply()

    def apply(self) -> None:
        self.note(self.workspace.apply())

    def plan_and_apply(self) -> None:
        plan = self.workspace.plan(out="p")
        self.note(plan)
        if plan.ok:
            self.note(self.workspace.apply("p"))

    def destroy(self) -> None:
        self.note(self.workspace.destroy())

    def approve_late(self) -> None:
        """Things happen between a plan and its apply."""
        self.workspace.write(self.configuration())
        plan = self.workspace.plan(out="p")
        self.note(plan)
        self.random.choice([self.remove_behind, self.add_behind, self.change_behind])()
        if plan.ok:
            self.note(self.workspace.apply("p"))

    def target(self) -> None:
        if self.rotating:
            return
        self.workspace.write(self.configuration())
        option = self.random.choice(["-destroy", "-refresh=true"])
        self.note(self.workspace.apply(f"-target=crusoe_storage_token.{self.one()}", option))

    def destroy_planned(self) -> None:
        plan = self.workspace.plan("-destroy", out="d")
        self.note(plan)
        if plan.ok:
            self.note(self.workspace.apply("d"))

    def break_provisioner(self) -> None:
        broken = self.workspace.folder / "broken"
        broken.touch()
        self.configure()
        broken.unlink()

    def forget(self) -> None:
        """Let Terraform forget a token; from then on it is nobody's."""
        removed_blocks = terraforms.version(self.workspace.executable).has("1.7", "1.7")
        if self.rotating or not removed_blocks:
            return
        name = self.one()
        keys = {
            instance.attributes["access_key_id"]
            for address, instance in self.workspace.instances().items()
            if address == f"crusoe_storage_token.{name}"
        }
        self.workspace.write(self.configuration(forgets=name))
        self.note(self.workspace.apply())
        self.not_ours |= keys - self.known()

    def flicker(self) -> None:
        """Let the next lists leave a key out."""
        if keys := self.cloud.keys():
            self.cloud.hide_key(self.random.choice(keys).key_uuid, 1)
        self.apply()

    def one(self) -> str:
        """Return the name of some token."""
        return self.random.choice("abc")

    def taint(self) -> None:
        if addresses := sorted(self.workspace.instances()):
            self.workspace.run("taint", self.random.choice(addresses))

    def fault(self) -> None:
        self.faults.add(Fault(**self.random.choice(FAULTS)))
        self.configure()

    def lag(self) -> None:
        self.cloud.list_lag = self.random.choice([0, 1, 2])

    def remove_behind(self) -> None:
        if keys := self.cloud.keys():
            self.cloud.remove_key(self.random.choice(keys).key_uuid)

    def add_behind(self) -> None:
        if len(self.cloud.keys()) < 2:
            key = self.cloud.add_key(self.user, alias="somebody's")
            self.not_ours.add(key.access_key_id)

    def change_behind(self) -> None:
        if keys := self.cloud.keys():
            change = self.random.choice([{"alias": "renamed"}, {"status": "disabled"}])
            self.cloud.change_key(self.random.choice(keys).key_uuid, **change)

    def forget_and_import(self) -> None:
        """Take a token out of the state, and import it again with its secret."""
        listed = self.cloud.keys()
        keys = {key.access_key_id: key for key in listed}
        instances = self.workspace.instances()
        known = [a for a in sorted(instances) if instances[a].attributes["access_key_id"] in keys]
        if not known:
            return
        address = self.random.choice(known)
        key = keys[instances[address].attributes["access_key_id"]]
        removed = self.workspace.run("state", "rm", address)
        if not removed.ok:
            return
        self.workspace.variables[SECRET_VARIABLE] = key.secret_key
        imported = self.workspace.import_(
            address, self.random.choice([key.key_uuid, key.access_key_id])
        )
        del self.workspace.variables[SECRET_VARIABLE]
        if previous := instances[address].attributes.get("previous_access_key_id"):
            self.not_ours.add(previous)
        self.note(imported)
        if not imported.ok:  # for want of a block, or of an answer; now it is nobody's
            self.not_ours.add(key.access_key_id)

    def interrupt(self) -> None:
        """Interrupt or kill an apply when its first writing request arrives, if one does."""
        # Where Crusoe refuses deletions, what a killed Terraform leaves behind cannot be undone.
        self.faults.clear()
        self.workspace.write(self.configuration())
        operation = self.random.choice(["create", "delete"])
        held = self.faults.add(Fault(operation, hold=self.random.choice(["before", "after"])))  # type: ignore[arg-type]  # one of them
        running = self.workspace.start("apply", "-json", "-auto-approve")
        while not running.has_ended and not held.arrived.wait(0.1):
            pass
        plugins = self.workspace.plugin_processes()
        if held.arrived.is_set():
            ends = [Running.interrupt, Running.terminate, Running.hang_up, Running.kill]
            end = self.random.choice(ends)
            end(running)
        held.release()
        self.note(running.wait())
        left = still_running(plugins, EXIT_SECONDS)
        assert not left
        (self.workspace.folder / ".terraform.tfstate.lock.info").unlink(missing_ok=True)

    # -- What has to hold ----------------------------------------------------------------------

    def note(self, result: Result) -> None:
        """Look at an output, and remember the keys that its errors name."""
        for ugly in UGLY:
            assert ugly not in result.text, result.report()
        keys = self.cloud.keys()
        for key in keys:
            assert key.secret_key not in result.text
        for error in result.errors:
            self.named |= set(ACCESS_KEY_ID.findall(error.detail))
            self.unsure = self.unsure or "may still be carried out" in error.detail

    def check(self) -> None:
        """Check what holds at any time."""
        listed = self.cloud.keys()
        keys = {key.access_key_id: key for key in listed}
        stored = self.stored()
        assert len(keys) <= 2
        assert set(keys) <= self.known() | self.not_ours | self.named | self.late()
        for instance in stored:
            attributes = instance["attributes"]
            if instance.get("status") == "tainted" or "deposed" in instance:
                continue
            for prefix in ("", "previous_"):
                key = keys.get(attributes.get(f"{prefix}access_key_id"))
                clear = attributes.get(f"{prefix}secret_key")
                if attributes.get("encrypt_to"):
                    assert clear is None
                if key:
                    ciphertext = attributes.get(f"{prefix}encrypted_secret_key")
                    assert (decrypted(ciphertext) if ciphertext else clear) == key.secret_key

    def stored(self) -> list[dict[str, Any]]:
        """Return the instances in the state file, deposed ones included."""
        state = self.workspace.state() or {"resources": []}
        return [
            instance
            for resource in state["resources"]
            for instance in resource["instances"]
            if resource["mode"] == "managed"
        ]

    def known(self) -> set[str]:
        """Return the access key IDs in the state file."""
        return {key for instance in self.stored() for key in keys_of(instance)}

    def whole(self) -> set[str]:
        """Return the access key IDs of instances that are neither tainted nor deposed."""
        return {
            key
            for instance in self.stored()
            for key in keys_of(instance)
            if instance.get("status") != "tainted" and "deposed" not in instance
        }

    def late(self) -> set[str]:
        """Return the keys of requests that were carried out after Terraform had given them up.

        Nobody can name them; the message says that there may be one, and how to look.
        """
        keys = self.cloud.keys()
        return {key.access_key_id for key in keys} if self.unsure else set()

    def settle(self) -> None:
        """Check that a quiet apply sets everything right, and the plan after it is empty."""
        self.faults.clear()
        self.cloud.show_all_keys()
        keys = self.cloud.keys()
        # What nobody manages goes, and what the messages say to delete where nothing else helps.
        stray = (self.not_ours | self.named) - self.whole()
        for key in keys:
            if key.access_key_id in stray or key.access_key_id not in self.known():
                self.cloud.remove_key(key.key_uuid)
        settled = self.workspace.apply()
        self.note(settled)
        if not settled.ok:
            self.without_create_before_destroy(settled)
        assert self.workspace.plan().succeeded().actions == {}
        self.check()
        self.workspace.destroy().succeeded()
        assert self.cloud.keys() == []

    def without_create_before_destroy(self, refused: Result) -> None:
        """Do what the message says where a third slot would be needed, and see that it works."""
        assert {error.summary for error in refused.errors} == {NO_SLOT}, refused.report()
        main = self.workspace.folder / "main.tf"
        text = main.read_text()
        assert "create_before_destroy = true" in text
        self.workspace.write(text.replace("destroy = true", "destroy = false"))
        self.note(self.workspace.apply().succeeded())

    def run(self, steps: int) -> None:
        """Run a sequence of so many steps."""
        actions = [
            *(self.configure, self.configure, self.apply, self.plan_and_apply, self.destroy),
            *(self.taint, self.fault, self.fault, self.fault, self.lag),
            *(self.remove_behind, self.add_behind, self.change_behind, self.forget_and_import),
            *(self.interrupt, self.interrupt, self.approve_late, self.target),
            *(self.destroy_planned, self.break_provisioner, self.forget, self.flicker),
        ]
        for _ in range(steps):
            action = self.random.choice(actions)
            self.steps.append(action.__name__)
            action()
            self.check()
        self.settle()


def keys_of(instance: dict[str, Any]) -> set[str]:
    """Return the keys that a stored instance knows of, those that it still has to revoke too."""
    attributes = instance["attributes"]
    private = json.loads(base64.b64decode(instance.get("private", "")) or "{}")
    known = {attributes["access_key_id"], attributes.get("previous_access_key_id")}
    return {*known, *private.get("leaving", [])} - {None}


def decrypted(ciphertext: str) -> str:
    """Return a secret, whichever of the recipients it is for."""
    try:
        return decrypt(ciphertext, AGE_IDENTITY)
    except WrongCiphertext:
        return decrypt(ciphertext, SSH_IDENTITY)


@pytest.mark.parametrize("rotating", [False, True], ids=["plain", "rotating"])
@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEQUENCES))
def test_whatever_happens_no_key_is_lost(
    workspace: Workspace, crusoe: Crusoe, seed: int, rotating: bool
) -> None:
    """Applies, faults, interruptions, taints, and keys that come and go behind our back.

    Plugins start warm in every other sequence, and cold in those between.
    """
    if seed % 2 == 0:
        workspace.variables["CRUSOE_WARM_START"] = "0"
    chaos = Chaos(workspace, crusoe, seed, rotating=rotating)

    try:
        chaos.run(STEPS)
    except AssertionError as error:
        error.add_note(f"seed {seed}: {', '.join(chaos.steps)}")
        raise
