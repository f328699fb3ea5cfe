"""Draw what Terraform prints, for the README: real output, from the simulator.

`make pictures` runs it. Colours come from Terraform itself, which shows them on a terminal only, so
it is given one.
"""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from crusoe_simulator.server import Simulator
from terraform_sandbox import (
    PLUGIN_NAME,
    SOURCE,
    environment,
    override_configuration,
)

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs" / "images"
ROWS, COLUMNS = 50, 110
# Terraform does not break every line of a message.
WIDTH: Final = 134
HEADER: Final = f"""\
terraform {{
  required_providers {{
    crusoe = {{
      source = "{SOURCE}"
    }}
  }}
}}

"""
THIRD: Final = """\
resource "crusoe_storage_token" "app" {
  alias = "app"
}
"""
ROTATION: Final = """\
resource "crusoe_storage_token" "ci" {
  alias               = "ci-uploads"
  rotate_when_changed = { quarter = "%s" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "terraform_data" "consumer" {
  input = crusoe_storage_token.ci.access_key_id
}
"""
_THEME: Final = TerminalTheme(
    (30, 32, 38),
    (220, 223, 228),
    [
        *((40, 44, 52), (224, 108, 117), (152, 195, 121), (229, 192, 123)),
        *((97, 175, 239), (198, 120, 221), (86, 182, 194), (220, 223, 228)),
    ],
    [(128, 134, 145)] * 8,
)


class Stage:
    """A configuration, and Terraform with a simulator behind it."""

    def __init__(self, folder: Path, simulator: Simulator) -> None:
        cli = folder / "terraform.tfrc"
        plugin = Path(sys.executable).with_name(PLUGIN_NAME)
        cli.write_text(override_configuration({SOURCE: plugin.parent}))
        (user,) = simulator.cloud.users
        self._folder = folder
        self._variables = environment(folder, cli) | {
            "TF_CLI_ARGS": "",
            "TERM": "xterm-256color",
            "CRUSOE_API_ENDPOINT": simulator.endpoint,
            "CRUSOE_ACCESS_KEY_ID": user.access_key_id,
            "CRUSOE_SECRET_KEY": user.secret_key,
        }

    def write(self, configuration: str) -> None:
        """Make this the configuration."""
        (self._folder / "main.tf").write_text(HEADER + configuration)

    def run(self, *arguments: str) -> str:
        """Run Terraform on a terminal, and return what it prints."""
        return on_a_terminal(["terraform", *arguments], self._folder, self._variables)


def on_a_terminal(command: list[str], folder: Path, variables: Mapping[str, str]) -> str:
    """Run a command on a terminal, and return what it prints, colours included."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    output = b""
    with subprocess.Popen(
        command, cwd=folder, env=variables, stdin=subprocess.DEVNULL, stdout=its, stderr=its
    ):
        os.close(its)
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux's way to say that the other end is closed
                break
            if not part:
                break
            output += part
    os.close(ours)
    return output.decode().replace("\r\n", "\n")


def without_overrides(output: str) -> str:
    """Return the output without the warning that the plugin runs in place."""
    start = output.find("╷", 0)
    end = output.find("╵", start)
    if "development overrides" in output[start:end]:
        output = output[:start].rstrip("\x1b[3m0 ") + output[output.index("\n", end) + 1 :]
    return output.strip("\n")


def draw(name: str, title: str, *parts: tuple[str, str]) -> Path:
    """Draw commands with what they print, and return the file."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True)
        for command, output in parts:
            console.print(Text(f"$ {command}", style="bold"))
            console.print(Text.from_ansi(output))
        file = FOLDER / f"{name}.svg"
        FOLDER.mkdir(exist_ok=True)
        file.write_text(console.export_svg(title=title, theme=_THEME, unique_id=name))
    return file


def main() -> int:
    """Draw both pictures."""
    with tempfile.TemporaryDirectory() as name, Simulator() as simulator:
        cloud = simulator.cloud
        user = cloud.add_user("dev@acme.example", cloud.add_organization("acme"))
        stage = Stage(Path(name), simulator)
        keys = [cloud.add_key(user, alias=alias) for alias in ("laptop", "nightly-backup")]
        stage.write(THIRD)
        refused = without_overrides(stage.run("plan"))
        print(draw("third-key", "The third key is refused", ("terraform plan", refused)))
        for key in keys:
            cloud.remove_key(key.key_uuid)
        stage.write(ROTATION % "2026-q4")
        stage.run("apply", "-auto-approve")
        stage.write(ROTATION % "2027-q1")
        rotated = without_overrides(stage.run("apply", "-auto-approve"))
        print(draw("rotation", "A rotation without a gap", ("terraform apply", rotated)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
