"""The messages that are compiled from `ephemeral.proto`."""

import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "provider"
HOST = Path("crusoe_provider", "providerserver")


@pytest.mark.parametrize("name", ["ephemeral_pb2.py", "ephemeral_pb2.pyi"])
def test_they_are_those_that_the_description_gives(tmp_path: Path, name: str) -> None:
    """`make proto` brings them up to date."""
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={SOURCES}"]
    out = [f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"]
    subprocess.run([*command, *out, str(HOST / "ephemeral.proto")], check=True)

    assert (SOURCES / HOST / name).read_text() == (tmp_path / HOST / name).read_text()
