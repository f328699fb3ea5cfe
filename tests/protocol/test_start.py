"""What is loaded before the handshake; Terraform, and so the user, waits for all of it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

import crusoe_provider
from harness.sandbox import measuring
from support.plugin import plugin_environment

# The modules of this project, and the packages beyond Python's own library.
OURS: Final = {
    "crusoe_provider",
    "crusoe_provider.__main__",
    "crusoe_provider.providerserver",
    "crusoe_provider.providerserver.certificate",
    "crusoe_provider.providerserver.quick_start",
    "crusoe_provider.providerserver.lifetime",
    "crusoe_provider.providerserver.log",
    "crusoe_provider.providerserver.serve",
    "crusoe_provider.providerserver.warm_start",
    "crusoe_provider.providerserver.warm_start.launcher",
}
# What a launcher may load, beside the program itself, before it looks for a process that is ready.
OF_LAUNCHER: Final = {
    "_socket",
    "select",
    "crusoe_provider",
    "crusoe_provider.__main__",
    "crusoe_provider.providerserver",
    "crusoe_provider.providerserver.warm_start",
    "crusoe_provider.providerserver.warm_start.launcher",
}
PACKAGES: Final = {
    "cryptography",
    "cython_runtime",
    "_cffi_backend",
    "grpc",
    "grpc_tools",
    "typing_extensions",
}
# Of these only a stand-in may be there, which loads them when they are first used.
DEFERRED: Final = {"asyncio", "grpc.aio", "shutil"}
# It prints the handshake by `print`; what stands in its place tells what is loaded at that moment.
PROGRAM: Final = """
import builtins, json, os, sys
from crusoe_provider.__main__ import main

def tell(*_, **__):
    deferred = [n for n, m in sys.modules.items() if type(m).__name__ == "_LazyModule"]
    os.write(2, json.dumps({"loaded": list(sys.modules), "deferred": deferred}).encode())
    os._exit(0)

builtins.print = tell
main([])
"""


# The same at the moment at which a launcher makes its first socket, started as `install` has it.
LAUNCHER: Final = """
import sys
sys.path += {path!r}
sys.argv = [sys.executable]
before = set(sys.modules)

import _socket
def tell(*_, **__):
    import posix
    posix.write(1, "\\n".join(set(sys.modules) - before).encode())
    posix._exit(0)

_socket.socket = tell
from crusoe_provider.__main__ import main
main([])
"""


def loaded_before_handshake(folder: Path) -> dict[str, Any]:
    """Return the names of all modules, and of those that are deferred."""
    environment = plugin_environment(CRUSOE_WARM_START="1") | {"TMPDIR": str(folder)}
    for name in measuring():  # what measures loads modules too
        del environment[name]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stderr)
    return found


def test_little_is_loaded_before_the_handshake(tmp_path: Path) -> None:
    """A module that is not on these lists has crept in, and makes every command slower."""
    found = loaded_before_handshake(tmp_path)

    loaded = set(found["loaded"]) - set(found["deferred"])
    beyond = {name.split(".")[0] for name in loaded} - set(sys.stdlib_module_names)
    assert {name for name in loaded if name.split(".")[0] == "crusoe_provider"} == OURS
    # What begins with an underscore in site-packages are hooks of the environment, such as those
    # of an editable installation.
    hooks = {name for name in beyond if name.startswith("_")} | {"crusoe_provider", "sitecustomize"}
    assert beyond - hooks <= PACKAGES
    assert not loaded & {
        "cryptography.x509",
        "cryptography.hazmat.backends.openssl.backend",
        "email",
        "logging.config",
        "multiprocessing",
    }


def test_what_is_deferred_is_not_touched(tmp_path: Path) -> None:
    """If a new version of grpc begins to use one of these, it works, and this says so."""
    assert set(loaded_before_handshake(tmp_path)["deferred"]) >= DEFERRED


# What the client loads where other packages are installed as well, as here for the tests.
CLIENT: Final = """
import sys
from crusoe_provider.providerserver import quick_start

quick_start.begin()
from crusoe_provider.__main__ import _load_client
_load_client()
print(*sys.modules)
"""


def test_the_client_loads_no_command_line() -> None:
    """That of httpx, with click and rich, takes longer to load than all the rest of it."""
    done = subprocess.run(
        [sys.executable, "-c", CLIENT], capture_output=True, text=True, check=True
    )

    packages = {name.split(".")[0] for name in done.stdout.split()}
    assert "httpx" in packages
    assert not packages & {"click", "rich", "pygments"}


def test_a_broken_installation_says_what_is_missing() -> None:
    """In one line, which Terraform shows; no traceback."""
    program = (
        "import sys\n"
        "sys.modules['grpc'] = None\n"
        "from crusoe_provider.__main__ import main\n"
        "main([])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        env=plugin_environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("The plugin cannot start: ModuleNotFoundError ")
    assert "grpc" in line


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has warm starts")
def test_a_launcher_loads_next_to_nothing() -> None:
    """It is all that a warm start takes."""
    path = [str(Path(crusoe_provider.__file__).parents[1])]

    done = subprocess.run(
        [sys.executable, "-IS", "-c", LAUNCHER.format(path=path)],
        env=plugin_environment(CRUSOE_WARM_START="1"),
        capture_output=True,
        text=True,
        check=True,
    )

    assert set(done.stdout.split()) == OF_LAUNCHER
