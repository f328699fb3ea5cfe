"""Compile `protocol.proto` into a module whose classes are made on first use, and its stub.

A module as protoc writes it makes every class while it is imported, which takes four times as long.
"""

import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from google.protobuf.descriptor_pb2 import FileDescriptorSet

SOURCES: Final = Path(__file__).resolve().parents[1] / "provider"
PROTO: Final = "crusoe_provider/providerserver/protocol.proto"
MODULE: Final = '''"""The messages of `protocol.proto`. Written by `make proto`: do not edit."""

from google.protobuf import descriptor_pool
from google.protobuf.message_factory import GetMessageClass

DESCRIPTOR = descriptor_pool.Default().AddSerializedFile(
    {descriptor!r}
)


def __getattr__(name):
    """Make the class of a message, once."""
    found = DESCRIPTOR.message_types_by_name.get(name)
    if found is None:
        raise AttributeError(name)
    made = globals()[name] = GetMessageClass(found)
    return made
'''


def compile_protocol(out: Path) -> None:
    """Write module and stub, below `out` as below the folder of sources."""
    protoc: Any = import_module("grpc_tools.protoc")  # it has no annotations
    with tempfile.TemporaryDirectory() as folder:
        descriptors = Path(folder, "descriptors")
        options = [f"--pyi_out={out}", f"--descriptor_set_out={descriptors}"]
        if protoc.main(["protoc", f"--proto_path={SOURCES}", *options, PROTO]):
            sys.exit(f"{PROTO} could not be compiled.")
        (file,) = FileDescriptorSet.FromString(descriptors.read_bytes()).file
    module = out / PROTO.replace(".proto", "_pb2.py")
    module.write_text(MODULE.format(descriptor=file.SerializeToString(deterministic=True)))


if __name__ == "__main__":
    compile_protocol(SOURCES)
