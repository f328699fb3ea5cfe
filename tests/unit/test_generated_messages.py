"""The messages that are compiled from `protocol.proto`."""

from pathlib import Path

import pytest
import tf.gen.tfplugin_pb2 as older
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

import proto
from crusoe_provider.providerserver import protocol_pb2 as messages

# Messages that differ by name only: ours has one for what is the same.
RENAMED = {
    "GetMetadata.DataSourceMetadata": "GetMetadata.TypeMetadata",
    "GetMetadata.ResourceMetadata": "GetMetadata.TypeMetadata",
}


@pytest.mark.parametrize("name", ["protocol_pb2.py", "protocol_pb2.pyi"])
def test_they_are_those_that_the_description_gives(tmp_path: Path, name: str) -> None:
    """`make proto` brings them up to date."""
    proto.compile_protocol(tmp_path)

    folder = Path(proto.PROTO).parent
    assert (proto.SOURCES / folder / name).read_text() == (tmp_path / folder / name).read_text()


def fields(message: DescriptorProto, name: str) -> dict[str, tuple[object, ...]]:
    """Return number and type of each field, and those of the messages inside, by name."""
    name = RENAMED.get(name, name)
    found: dict[str, tuple[object, ...]] = {
        f"{name}.{field.name}": (field.number, field.type, field.label) for field in message.field
    }
    for inner in message.nested_type:
        found |= fields(inner, f"{name}.{inner.name}")
    return found


def all_fields(file: FileDescriptor) -> dict[str, tuple[object, ...]]:
    copy = FileDescriptorProto()
    file.CopyToProto(copy)
    return {k: v for message in copy.message_type for k, v in fields(message, message.name).items()}


def test_they_agree_with_those_that_tf_has() -> None:
    """Schemas and functions of `tf` are taken over as bytes."""
    theirs, ours = all_fields(older.DESCRIPTOR), all_fields(messages.DESCRIPTOR)

    assert {name: ours.get(name) for name in theirs} == theirs


def test_names_that_are_none() -> None:
    """As in any other module."""
    assert not hasattr(messages, "Nothing")
