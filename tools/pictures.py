"""Draw what Terraform prints, for the README: real output, from the simulator.

`make pictures` runs it. Colours come from Terraform itself, which shows them on a terminal only, so
it is given one.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from crusoe_simulator.server import Simulator
from harness.sandbox import PLUGIN, variables_of
from harness.workspace import Workspace

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs" / "images"
# Where the README is shown, more columns than these would be too small to read.
WIDTH: Final = 96
TERMINAL: Final = (50, WIDTH)
THIRD: Final = """\
resource "crusoe_storage_token" "app" {
  alias = "app"
}
"""
ROTATION: Final = """\
resource "crusoe_storage_rotating_token" "ci" {
  alias               = "ci-uploads"
  rotate_when_changed = { quarter = "%s" }
}

resource "terraform_data" "consumer" {
  input = crusoe_storage_rotating_token.ci.access_key_id
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


def shown(workspace: Workspace, *args: str) -> str:
    """Return what a command prints on a terminal, but for the warning that dev overrides cause."""
    output = workspace.run_on_a_terminal(*args, size=TERMINAL)
    start = output.find("╷", 0)
    end = output.find("╵", start)
    if "development overrides" in output[start:end]:
        output = output[:start].rstrip("\x1b[3m0 ") + output[output.index("\n", end) + 1 :]
    return output.strip("\n")


def within_the_frame(line: Text, console: Console) -> Iterator[Text]:
    """Yield a line in parts that fit; Terraform does not break every line of a message.

    Further parts are indented, and keep the frame that stands before the first one.
    """
    if len(line.plain) <= WIDTH:
        yield line
        return
    frame = line[:1] if line.plain.startswith("│") else Text("")
    depth = len(line.plain) - len(line.plain.lstrip("│ "))
    prefix = frame + Text(" " * (depth + 2 - len(frame.plain)))
    first, *rest = line.wrap(console, WIDTH - len(prefix.plain))
    yield first
    yield from (prefix + part for part in rest)


def draw(name: str, title: str, *parts: tuple[str, str]) -> Path:
    """Draw commands with what they print, and return the file."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True)
        for command, output in parts:
            console.print(Text(f"$ {command}", style="bold"))
            for line in Text.from_ansi(output).split("\n"):
                for part in within_the_frame(line, console):
                    console.print(part, soft_wrap=True)
        file = FOLDER / f"{name}.svg"
        FOLDER.mkdir(exist_ok=True)
        file.write_text(console.export_svg(title=title, theme=_THEME, unique_id=name))
    return file


def main() -> int:
    """Draw both pictures."""
    with tempfile.TemporaryDirectory() as name, Simulator() as simulator:
        cloud = simulator.cloud
        user = cloud.add_user("dev@acme.example", cloud.add_organization("acme"))
        keys = [cloud.add_key(user, alias=alias) for alias in ("laptop", "nightly-backup")]
        with Workspace(
            Path(name), plugin=PLUGIN, variables=variables_of(user, simulator)
        ) as workspace:
            workspace.write(THIRD)
            refused = shown(workspace, "plan")
            print(draw("third-key", "The third key is refused", ("terraform plan", refused)))
            for key in keys:
                cloud.remove_key(key.key_uuid)
            workspace.write(ROTATION % "2026-q4")
            workspace.apply().succeeded()
            workspace.write(ROTATION % "2027-q1")
            rotated = shown(workspace, "apply", "-auto-approve")
            print(draw("rotation", "A rotation without a gap", ("terraform apply", rotated)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
