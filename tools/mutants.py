"""Change the code in small ways, and print the changes that no unit test notices.

    python tools/mutants.py provider/crusoe_provider/api/retry.py …   # files or folders

mutmut makes the changes and runs, for each, the tests that come by it. It does so on a copy, in
which `provider` is called `src`, the only name for such a folder that it knows. It leaves out what
has a decorator.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[1]
WORK: Final = REPOSITORY / "build" / "mutants"
SOURCE: Final = "provider"
COPIED: Final = ("tests", "tools", "schemas", "docs", "examples", "pyproject.toml", "CHANGELOG.md")
# They read the code, or start programs, instead of calling it.
LEFT_OUT: Final = (
    "architecture",
    "docs",
    "generated_messages",
    "release_version",
    "simulator*",
    "terraforms",
    "workflows",
)
# mutmut's words for what no test has noticed.
SURVIVED: Final = re.compile(r"^\s*(\S+): (survived|no tests|suspicious)$", re.MULTILINE)


def prepare(chosen: Sequence[str]) -> None:
    """Copy the project, and say in the copy what is to be changed."""
    shutil.rmtree(WORK, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__", ".terraform*")
    shutil.copytree(REPOSITORY / SOURCE, WORK / "src", ignore=ignored)
    for name in COPIED:
        if (REPOSITORY / name).is_dir():
            shutil.copytree(REPOSITORY / name, WORK / name, ignore=ignored)
        else:
            shutil.copy(REPOSITORY / name, WORK)
    tests = ["tests/unit", *(f"--ignore-glob=*/test_{name}.py" for name in LEFT_OUT)]
    settings = {
        "source_paths": ["src"],
        "only_mutate": [pattern(name) for name in chosen],
        "also_copy": [name for name in COPIED if name != "pyproject.toml"],
        "pytest_add_cli_args_test_selection": tests,
        "pytest_add_cli_args": ["-q", "--import-mode=importlib", "-p", "no:cacheprovider"],
    }
    with (WORK / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("\n[tool.mutmut]\n")
        # A list of plain texts is written in the same way in Python and in TOML.
        file.writelines(f"{name} = {value!r}\n" for name, value in settings.items())


def pattern(name: str) -> str:
    """Return what a file or a folder is called in the copy."""
    path = Path("src") / (REPOSITORY / name).resolve().relative_to(REPOSITORY / SOURCE)
    return str(path) if path.suffix == ".py" else f"{path}/*"


def survivors() -> list[str]:
    """Return the names of the changes that nobody has noticed."""
    return [
        name for name, _ in SURVIVED.findall(printed([sys.executable, "-m", "mutmut", "results"]))
    ]


def differences(names: Sequence[str]) -> str:
    """Return what each of these changes is."""
    # In one process: `mutmut show` takes one name, and seconds.
    program = (
        "import sys; from mutmut.__main__ import show; [show.callback(n) for n in sys.argv[1:]]"
    )
    lines = printed([sys.executable, "-c", program, *names]).splitlines()
    return "\n".join(line for line in lines if line[:1] in set("+-@#"))


def printed(command: Sequence[str]) -> str:
    """Return what a command prints in the copy."""
    done = subprocess.run(command, cwd=WORK, capture_output=True, text=True, check=True)
    return done.stdout


def main() -> int:
    """Do it, and print the survivors."""
    prepare(sys.argv[1:])
    log = WORK / "log"
    with log.open("w", encoding="utf-8") as file:
        # Its progress is a line that is written over and over again: for terminals only.
        out = None if sys.stdout.isatty() else file
        done = subprocess.run(
            [sys.executable, "-m", "mutmut", "run"], cwd=WORK, stdout=out, check=False
        )
    if done.returncode:
        print(f"mutmut ended with {done.returncode}: {log}", file=sys.stderr)
        return done.returncode
    found = survivors()
    print(differences(found))
    print(f"\nUnnoticed: {len(found)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
