"""Show the life of a storage token: the real Terraform, the plugin, a local Crusoe API.

Nothing reaches the network, nothing is left running, and all files are below one folder. Any
deviation from what is told ends the demonstration with a message and exit code 1.

One file, longer than others, so that it can be read from top to bottom.
"""

import argparse
import contextlib
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from crusoe_simulator.server import Simulator
from demo_folder import FolderError, prepared, remember
from harness import terraforms
from harness.sandbox import PLUGIN, variables_of
from harness.workspace import EXAMPLES, Workspace
from narration import Narrator, SecretShownError, shows_colour
from s3_access import refusal, s3_client

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

RESOURCE_TYPES: Final = frozenset({"crusoe_storage_token", "crusoe_storage_rotating_token"})
PLAN: Final = "token.tfplan"
BUCKET: Final = "demo"
OBJECT: Final = "hello.txt"
PERIODS: Final = ("2027-q1", "2027-q2")
THIRD_TOKEN: Final = (
    'printf \'resource "crusoe_storage_token" "more" {\\n  count = 2\\n}\\n\' > more.tf; '
    "terraform plan; rm more.tf"
)
INTERRUPTED: Final = 128 + signal.SIGINT
TERMINATED: Final = 128 + signal.SIGTERM


class DemoError(Exception):
    """The demonstration cannot go on, or something is not as it should be."""


def expect(condition: bool, otherwise: str) -> None:
    """Stop the demonstration with the message `otherwise` unless `condition` holds.

    Raises:
        DemoError: It does not hold.
    """
    if not condition:
        raise DemoError(otherwise)


@dataclass(frozen=True, slots=True)
class Stage:
    """What the steps work with.

    Attributes:
        narrator: Tells what happens.
        workspace: Terraform, on a copy of the example.
        simulator: The local API.
    """

    narrator: Narrator
    workspace: Workspace
    simulator: Simulator

    def run(self, *args: str, whole: bool = False) -> str:
        """Run a Terraform command before the reader's eyes, and return its output.

        Raises:
            DemoError: It failed.
        """
        command = f"{self.workspace.executable.name} {shlex.join(args)}"
        self.narrator.command(command)
        exit_code, output = self._run(args)
        with (self.workspace.logs / "terraform.log").open("a", encoding="utf-8") as log:
            log.write(f"$ {command}\n{output}-> exit code {exit_code}\n\n")
        self.narrator.quote(output, whole=whole or exit_code != 0)
        expect(exit_code == 0, f"terraform {args[0]} ended with exit code {exit_code}.")
        return output

    def ask(self, *args: str) -> str:
        """Run a command whose output may hold secrets; it is returned, and nothing else."""
        exit_code, output = self._run(args)
        expect(exit_code == 0, f"terraform {args[0]} ended with exit code {exit_code}.")
        return output

    def tokens(self) -> list[dict[str, Any]]:
        """Return the tokens in the state, with their secrets."""
        state = json.loads(self.ask("show", "-json"))
        resources = state.get("values", {}).get("root_module", {}).get("resources", [])
        return [r["values"] for r in resources if r["type"] in RESOURCE_TYPES]

    def access_key_ids(self) -> set[str]:
        """Return the access key IDs that the API knows, bypassing Terraform."""
        keys = self.simulator.cloud.keys()
        return {key.access_key_id for key in keys}

    def _run(self, args: tuple[str, ...]) -> tuple[int, str]:
        try:
            result = self.workspace.run(*args)
        except AssertionError:  # whose message holds all output
            raise DemoError(f"terraform {args[0]} did not end.") from None
        return result.exit_code, result.text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration, and return the exit code."""
    options = _parser().parse_args(arguments)
    narrator = Narrator(sys.stdout, colour=shows_colour(sys.stdout))
    try:
        executable = terraforms.executable()
    except terraforms.NoTerraformError as error:
        print(error, file=sys.stderr, end="")
        return 1
    # What the reader has set up for AWS has nothing to say here.
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    # A polite end takes the same way out as Ctrl-C, past every clean-up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    root = options.folder.resolve()
    try:
        with prepared(root) as kept:
            for path in kept:
                narrator.say(f"What you have written is kept: {os.path.relpath(path)}")
            demonstrate(narrator, executable, root, options.configuration, keep=options.keep)
    except KeyboardInterrupt:
        narrator.say("\nInterrupted. Nothing is left running.")
        return INTERRUPTED
    except (DemoError, FolderError, SecretShownError) as error:
        narrator.failure(str(error))
        if (root / "logs").exists():
            narrator.say(f"Logs: {root / 'logs'}")
        return 1
    return 0


def demonstrate(
    narrator: Narrator, executable: Path, root: Path, configuration: Path, *, keep: bool
) -> None:
    """Run all steps, or with `keep` those up to the token's use, and wait for Ctrl-C.

    Raises:
        DemoError: Something is not as it should be.
        SecretShownError: A secret was, or would have been, printed.
    """
    expect(PLUGIN.exists(), f"There is no {PLUGIN}. Run `make install` first.")
    narrator.step("Start a local Crusoe API")
    with contextlib.ExitStack() as stack:
        simulator = stack.enter_context(Simulator(s3=True))
        settings = _settings(simulator)
        narrator.keep_secret("The secret of the API's credentials", settings["CRUSOE_SECRET_KEY"])
        narrator.say(
            "A simulator, as `python -m crusoe_simulator --s3` starts one, answers at\n"
            f"{simulator.endpoint}, for this machine only. It knows one user, who may have\n"
            f"two storage tokens and has none yet. Buckets are at {simulator.s3_endpoint}."
        )
        # With OpenTofu and old versions of Terraform the plugin leaves a mark for the next process.
        settings_here = settings | {"XDG_RUNTIME_DIR": str(root / "home")}
        workspace = Workspace(
            root, plugin=PLUGIN, mirror=True, variables=settings_here, terraform=executable
        )
        stage = Stage(narrator, stack.enter_context(workspace), simulator)
        workspace.use_example(configuration.resolve())
        remember(root)
        install(stage)
        plan(stage)
        token = apply(stage)
        plan_again(stage)
        show_outputs(stage, token)
        bucket = use(stage, token)
        if keep:
            _play(stage, settings)
        else:
            destroy(stage, token, bucket)
            rotate(stage)
            remember(root)
    narrator.say(
        f"\nDone. Nothing is left running; the files of this run are in {os.path.relpath(root)}"
    )


def install(stage: Stage) -> None:
    """Let `terraform init` find the plugin, and run it."""
    stage.narrator.step("Install the plugin")
    mirror = stage.workspace.folder.parent / "mirror"
    packages = sorted(str(path.relative_to(mirror.parent)) for path in mirror.rglob("*_v*"))
    stage.narrator.say("A folder takes the place of the registries:\n" + "\n".join(packages))
    output = stage.run("init")
    expect("has been successfully initialized" in output, "terraform init did not finish.")


def plan(stage: Stage) -> None:
    """Check the configuration, and look ahead."""
    stage.narrator.step("Check the configuration, and see what Terraform is going to do")
    stage.run("validate")
    output = stage.run("plan", f"-out={PLAN}")
    expect("1 to add, 0 to change, 0 to destroy" in output, "The plan is not one new token.")
    expect(not stage.access_key_ids(), "A plan has created a token.")


def apply(stage: Stage) -> dict[str, Any]:
    """Create the token, and return its attributes, secret included."""
    stage.narrator.step("Create the storage token")
    stage.run("apply", PLAN)
    tokens = stage.tokens()
    expect(len(tokens) == 1, f"The state holds {len(tokens)} tokens instead of one.")
    token = tokens[0]
    expect(bool(token["secret_key"]), "The state holds no secret.")
    stage.narrator.keep_secret("The secret of the storage token", token["secret_key"])
    keys = stage.access_key_ids()
    expect(keys == {token["access_key_id"]}, f"The API knows these keys instead: {keys}")
    stage.narrator.say(
        f"Created: token {token['id']}\n"
        f"Access key ID: {token['access_key_id']}\n"
        "The API, asked directly, knows it too."
    )
    return token


def plan_again(stage: Stage) -> None:
    """See that nothing is left to do."""
    stage.narrator.step("Plan again: reality and configuration agree")
    stage.run("plan", "-detailed-exitcode")
    stage.narrator.say("Exit code 0: no changes.")


def show_outputs(stage: Stage, token: dict[str, Any]) -> None:
    """Look at the outputs, and find the secret without showing it."""
    stage.narrator.step("Look at the outputs")
    output = stage.run("output", whole=True)
    expect("secret_key = <sensitive>" in output, "The secret is not marked as sensitive.")
    secret = stage.ask("output", "-raw", "secret_key")
    expect(secret == token["secret_key"], "The output is not the secret in the state.")
    stage.narrator.say(
        "Crusoe has shown the secret once, to the plugin. Now it is in terraform.tfstate, and in\n"
        "no line above: all of Terraform's output was searched for it. To hand it on:\n"
        "  terraform output -raw secret_key"
    )


def use(stage: Stage, token: dict[str, Any]) -> "S3Client":
    """Store an object with the token, read it back, and return the S3 client."""
    stage.narrator.step("Use the token, as any S3 client does")
    endpoint = str(stage.simulator.s3_endpoint)
    client = s3_client(endpoint, token["access_key_id"], token["secret_key"])
    client.create_bucket(Bucket=BUCKET)
    content = b"Hello, Crusoe"
    client.put_object(Bucket=BUCKET, Key=OBJECT, Body=content)
    stored = client.get_object(Bucket=BUCKET, Key=OBJECT)["Body"].read()
    expect(stored == content, "The object is not what was stored.")
    stage.narrator.say(
        f"boto3, with the access key ID and the secret of the outputs:\n"
        f"  put {OBJECT} into the bucket {BUCKET}, and got it back: {content.decode()}"
    )
    return client


def destroy(stage: Stage, token: dict[str, Any], client: "S3Client") -> None:
    """Revoke the token."""
    stage.narrator.step("Revoke it")
    stage.run("destroy", "-auto-approve")
    keys = stage.access_key_ids()
    expect(not keys, f"The API still knows {keys}.")
    expect(not stage.tokens(), "The state still holds a token.")
    stage.narrator.say(f"{token['access_key_id']} is gone: the API, asked directly, has no tokens.")
    code = refusal(lambda: client.get_object(Bucket=BUCKET, Key=OBJECT))
    expect(code == "InvalidAccessKeyId", f"The bucket answers the revoked token: {code}")
    stage.narrator.say(f"The S3 client that still has it is refused at once: {code}.")


def rotate(stage: Stage) -> None:
    """Rotate a token of two keys, and see that the key before still works."""
    stage.narrator.step("Rotate: two keys in one resource, and no gap")
    workspace = stage.workspace
    for file in workspace.folder.glob("*.tf"):
        if file.name != "versions.tf":
            file.unlink()
    workspace.use_example("rotating-token")
    stage.narrator.say("Another configuration: examples/terraform/rotating-token.")
    token: dict[str, Any] = {}
    clients = []
    for period in PERIODS:
        stage.run("apply", "-auto-approve", f"-var=period={period}")
        (token,) = stage.tokens()
        stage.narrator.keep_secret(f"The secret of {period}", token["secret_key"])
        endpoint = str(stage.simulator.s3_endpoint)
        clients.append(s3_client(endpoint, token["access_key_id"], token["secret_key"]))
    for client in clients:
        code = refusal(lambda client=client: client.head_bucket(Bucket=BUCKET))  # type: ignore[misc]
        expect(code is None, f"The bucket answers one of the two keys: {code}")
    stage.narrator.say(
        f"Generation {token['generation']:.0f}: {token['access_key_id']} is the current key.\n"
        f"{token['previous_access_key_id']} still works, for those who have not heard of it yet;\n"
        "the next rotation revokes it. The bucket has answered both."
    )
    stage.run("destroy", "-auto-approve", f"-var=period={PERIODS[-1]}")
    expect(not stage.access_key_ids(), "The API still knows a key of the rotating token.")


def _play(stage: Stage, settings: dict[str, str]) -> None:
    """Leave the simulator to the reader until Ctrl-C."""
    exported = {"TF_CLI_CONFIG_FILE": str(stage.workspace.cli_configuration)} | settings
    lines = [f"export {name}={shlex.quote(value)}" for name, value in exported.items()]
    program = str(stage.workspace.executable) if terraforms.is_chosen() else "Terraform"
    stage.narrator.step("Your turn")
    stage.narrator.say(f"Paste this into another terminal, and use {program} there:\n\n")
    stage.narrator.exports("\n".join([*lines, f"cd {shlex.quote(str(stage.workspace.folder))}"]))
    stage.narrator.say(_ideas())
    stage.narrator.say(
        "\nCtrl-C ends the simulator, and with it all tokens. What you write there is kept."
    )
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            # Not for ever at a time: a signal that comes just before a wait does not end it.
            time.sleep(0.5)


def _ideas() -> str:
    """Return what to try in the playground, as commands to paste."""
    simulator = f"{shlex.quote(sys.executable)} -m crusoe_simulator"
    ideas = (
        ("Is all well?", f"{shlex.quote(str(PLUGIN))} check"),
        ("A third token, which the plan refuses; then take it out again", THIRD_TOKEN),
        ("Another key", "terraform apply -replace=crusoe_storage_token.quickstart"),
        ("What the API knows", f"{simulator} keys list"),
        (
            "A key that somebody deletes",
            f'{simulator} keys delete "$(terraform output -raw access_key_id)"; terraform plan',
        ),
    )
    told = "\n\n".join(f"# {what}\n{command}" for what, command in ideas)
    return f"\nThen try:\n\n{told}"


def _settings(simulator: Simulator) -> dict[str, str]:
    cloud = simulator.cloud
    user = cloud.add_user("you@acme.example", cloud.add_organization("acme"))
    return variables_of(user, simulator) | {
        "CRUSOE_SIMULATOR_CONTROL": simulator.control,
        "AWS_ENDPOINT_URL_S3": str(simulator.s3_endpoint),
        "AWS_REGION": "us-east-1",
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--keep",
        action="store_true",
        help="stop before the token is revoked, and leave the API running until Ctrl-C",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=terraforms.REPOSITORY / ".demo",
        help="where to keep all files; what an earlier run left there is deleted (%(default)s)",
    )
    parser.add_argument(
        "--configuration",
        type=Path,
        default=EXAMPLES / "quickstart",
        help="folder with the Terraform configuration to show (%(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
