"""Show the life of a storage token: the real Terraform, the plugin, a local Crusoe API.

Nothing reaches the network, nothing is left running, and all files are below one folder. Any
deviation from what is told ends the demonstration with a message and exit code 1.
"""

import argparse
import contextlib
import json
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from crusoe_provider.version import __version__
from demo_bucket import BUCKET, OBJECT, Bucket
from demo_folders import Folders, prepared
from demo_processes import LocalApi, Terraform, local_api
from expectations import DemoError, expect
from narration import Narrator, SecretShownError, shows_colour
from terraform_sandbox import (
    PLUGIN_NAME,
    environment,
    install_into_mirror,
    mirror_configuration,
)

REPOSITORY: Final = Path(__file__).resolve().parents[1]
RESOURCE_TYPE: Final = "crusoe_storage_token"
PLAN: Final = "token.tfplan"
INTERRUPTED: Final = 128 + signal.SIGINT
TERMINATED: Final = 128 + signal.SIGTERM

_TERRAFORM_MISSING: Final = """\
Terraform was not found on the path. Install it and try again:
https://developer.hashicorp.com/terraform/install
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """What the steps work with.

    Attributes:
        narrator: Tells what happens.
        terraform: Terraform, in the copy of the example.
        api: The local API.
    """

    narrator: Narrator
    terraform: Terraform
    api: LocalApi

    def run(self, *args: str, whole: bool = False) -> str:
        """Run a Terraform command before the reader's eyes, and return its output.

        Raises:
            DemoError: It failed.
        """
        self.narrator.command(f"terraform {shlex.join(args)}")
        exit_code, output = self.terraform.run(*args)
        self.narrator.quote(output, whole=whole or exit_code != 0)
        expect(exit_code == 0, f"terraform {args[0]} ended with exit code {exit_code}.")
        return output


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration, and return the exit code."""
    options = _parser().parse_args(arguments)
    narrator = Narrator(sys.stdout, colour=shows_colour(sys.stdout))
    executable = shutil.which("terraform")
    if executable is None:
        print(_TERRAFORM_MISSING, file=sys.stderr, end="")
        return 1
    # A polite end takes the same way out as Ctrl-C, past every clean-up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    folders = Folders(options.folder.resolve())
    try:
        with prepared(folders, options.configuration):
            demonstrate(narrator, Path(executable), folders, keep=options.keep)
    except KeyboardInterrupt:
        narrator.say("\nInterrupted. Nothing is left running.")
        return INTERRUPTED
    except (DemoError, SecretShownError) as error:
        narrator.failure(str(error))
        if folders.logs.exists():
            narrator.say(f"Logs: {folders.logs}")
        return 1
    return 0


def demonstrate(narrator: Narrator, executable: Path, folders: Folders, *, keep: bool) -> None:
    """Run all steps, or with `keep` those up to the token's use, and wait for Ctrl-C.

    Raises:
        DemoError: Something is not as it should be.
        SecretShownError: A secret was, or would have been, printed.
    """
    basics = environment(folders.home, folders.cli_configuration)
    narrator.step("Start a local Crusoe API")
    narrator.command("python -m crusoe_simulator --port 0 --s3")
    with local_api(folders.root, basics, folders.logs / "simulator.log") as api:
        narrator.keep_secret("The secret of the API's credentials", api.secret_key)
        narrator.say(
            f"A simulator answers at {api.endpoint}, for this machine only.\n"
            "It knows one user, who may have two storage tokens and has none yet. Buckets are at\n"
            f"{api.s3_endpoint}."
        )
        settings = _settings(api)
        log = folders.logs / "terraform.log"
        terraform = Terraform(executable, folders.run, basics | settings, log)
        stage = Stage(narrator, terraform, api)
        install(stage, folders)
        plan(stage)
        token = apply(stage)
        plan_again(stage)
        show_outputs(stage, token)
        bucket = use(stage, token)
        if keep:
            _play(stage, folders, settings)
            return
        destroy(stage, token, bucket)
    narrator.say("\nDone. Nothing is left running; the files of this run are in " + _near(folders))


def install(stage: Stage, folders: Folders) -> None:
    """Put the plugin where `terraform init` finds it, and run it."""
    stage.narrator.step("Install the plugin")
    executable = Path(sys.executable).with_name(PLUGIN_NAME)
    expect(executable.exists(), f"There is no {executable}. Run `make install` first.")
    plugin = install_into_mirror(folders.mirror, executable, __version__)
    folders.cli_configuration.write_text(mirror_configuration(folders.mirror), encoding="utf-8")
    stage.narrator.say(
        f"A folder takes the place of the Terraform Registry:\n{plugin.relative_to(folders.root)}"
    )
    output = stage.run("init")
    expect("has been successfully initialized" in output, "terraform init did not finish.")


def plan(stage: Stage) -> None:
    """Check the configuration, and look ahead."""
    stage.narrator.step("Check the configuration, and see what Terraform is going to do")
    stage.run("validate")
    output = stage.run("plan", f"-out={PLAN}")
    expect("1 to add, 0 to change, 0 to destroy" in output, "The plan is not one new token.")
    expect(not stage.api.access_key_ids(), "A plan has created a token.")


def apply(stage: Stage) -> dict[str, Any]:
    """Create the token, and return its attributes, secret included."""
    stage.narrator.step("Create the storage token")
    stage.run("apply", PLAN)
    state = json.loads(stage.terraform.ask("show", "-json"))
    tokens = _tokens(state)
    expect(len(tokens) == 1, f"The state holds {len(tokens)} tokens instead of one.")
    token = tokens[0]
    expect(bool(token["secret_key"]), "The state holds no secret.")
    stage.narrator.keep_secret("The secret of the storage token", token["secret_key"])
    keys = stage.api.access_key_ids()
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
    secret = stage.terraform.ask("output", "-raw", "secret_key")
    expect(secret == token["secret_key"], "The output is not the secret in the state.")
    stage.narrator.say(
        "Crusoe has shown the secret once, to the plugin. Now it is in terraform.tfstate, and in\n"
        "no line above: all of Terraform's output was searched for it. To hand it on:\n"
        "  terraform output -raw secret_key"
    )


def use(stage: Stage, token: dict[str, Any]) -> Bucket:
    """Store an object with the token, read it back, and return its bucket."""
    stage.narrator.step("Use the token, as any S3 client does")
    bucket = Bucket(stage.api.s3_endpoint, token["access_key_id"], token["secret_key"])
    bucket.make()
    content = b"Hello, Crusoe"
    bucket.put(content)
    expect(bucket.get() == content, "The object is not what was stored.")
    stage.narrator.say(
        f"boto3, with the access key ID and the secret of the outputs:\n"
        f"  put {OBJECT} into the bucket {BUCKET}, and got it back: {content.decode()}"
    )
    return bucket


def destroy(stage: Stage, token: dict[str, Any], bucket: Bucket) -> None:
    """Revoke the token."""
    stage.narrator.step("Revoke it")
    stage.run("destroy", "-auto-approve")
    keys = stage.api.access_key_ids()
    expect(not keys, f"The API still knows {keys}.")
    state = json.loads(stage.terraform.ask("show", "-json"))
    expect(not _tokens(state), "The state still holds a token.")
    stage.narrator.say(f"{token['access_key_id']} is gone: the API, asked directly, has no tokens.")
    refusal = bucket.refusal()
    expect(refusal == "InvalidAccessKeyId", f"The bucket answers the revoked token: {refusal}")
    stage.narrator.say(f"The S3 client that still has it is refused at once: {refusal}.")


def _play(stage: Stage, folders: Folders, settings: dict[str, str]) -> None:
    """Leave the simulator to the reader until Ctrl-C."""
    exported = {"TF_CLI_CONFIG_FILE": str(folders.cli_configuration)} | settings
    lines = [f"export {name}={shlex.quote(value)}" for name, value in exported.items()]
    stage.narrator.step("Your turn")
    stage.narrator.say("Paste this into another terminal, and use Terraform there:\n\n")
    stage.narrator.exports("\n".join([*lines, f"cd {shlex.quote(str(folders.run))}"]))
    stage.narrator.say("\nCtrl-C ends the simulator, and with it all tokens.")
    with contextlib.suppress(KeyboardInterrupt):
        exit_code = stage.api.process.wait()
        raise DemoError(f"The simulator has ended by itself, with exit code {exit_code}.")
    stage.narrator.say(f"\nThe simulator is gone. The files are in {_near(folders)}")


def _settings(api: LocalApi) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL_S3": api.s3_endpoint,
        "CRUSOE_API_ENDPOINT": api.endpoint,
        "CRUSOE_ACCESS_KEY_ID": api.access_key_id,
        "CRUSOE_SECRET_KEY": api.secret_key,
    }


def _tokens(state: dict[str, Any]) -> list[dict[str, Any]]:
    resources = state.get("values", {}).get("root_module", {}).get("resources", [])
    return [resource["values"] for resource in resources if resource["type"] == RESOURCE_TYPE]


def _near(folders: Folders) -> str:
    return os.path.relpath(folders.root)


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
        default=REPOSITORY / ".demo",
        help="where to keep all files; what an earlier run left there is deleted (%(default)s)",
    )
    parser.add_argument(
        "--configuration",
        type=Path,
        default=REPOSITORY / "examples" / "terraform" / "quickstart",
        help="folder with the Terraform configuration to show (%(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
