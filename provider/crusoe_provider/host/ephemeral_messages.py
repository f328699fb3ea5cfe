"""The messages of ephemeral resources, which `tf`'s copy of the protocol does not have yet.

A second compiled copy of `tfplugin6.proto` would clash with `tf`'s in protobuf's registry, so what
is missing is described here, in a registry of its own, with the names and numbers of the protocol
(https://github.com/hashicorp/terraform, docs/plugin-protocol, version 6.8). Messages that `tf` has
already (values, diagnostics, schemas) appear as bytes, which an embedded message is on the wire.
"""

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELD = descriptor_pb2.FieldDescriptorProto
_STRING: Final = _FIELD.TYPE_STRING
_BYTES: Final = _FIELD.TYPE_BYTES

# Message: field: number, type, repeated.
_MESSAGES: Final[dict[str, dict[str, tuple[int, int, bool]]]] = {
    # An entry of a map is a message with key 1 and value 2.
    "SchemaEntry": {"key": (1, _STRING, False), "value": (2, _BYTES, False)},
    "GetProviderSchemaResponse": {"ephemeral_resource_schemas": (8, _BYTES, True)},
    "EphemeralResourceMetadata": {"type_name": (1, _STRING, False)},
    "GetMetadataResponse": {"ephemeral_resources": (6, _BYTES, True)},
    "ValidateRequest": {"type_name": (1, _STRING, False), "config": (2, _BYTES, False)},
    "ValidateResponse": {"diagnostics": (1, _BYTES, True)},
    "OpenRequest": {"type_name": (1, _STRING, False), "config": (2, _BYTES, False)},
    "OpenResponse": {
        "diagnostics": (1, _BYTES, True),
        "result": (3, _BYTES, False),
        "private": (4, _BYTES, False),
    },
    "RenewRequest": {"type_name": (1, _STRING, False), "private": (2, _BYTES, False)},
    "RenewResponse": {"diagnostics": (1, _BYTES, True), "private": (3, _BYTES, False)},
    "CloseRequest": {"type_name": (1, _STRING, False), "private": (2, _BYTES, False)},
    "CloseResponse": {"diagnostics": (1, _BYTES, True)},
}


def _described() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="crusoe_provider/ephemeral.proto", package="crusoe_provider.ephemeral", syntax="proto3"
    )
    for message_name, fields in _MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for name, (number, kind, repeated) in fields.items():
            label = _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
            message.field.add(name=name, number=number, type=kind, label=label)
    return file


_POOL: Final = descriptor_pool.DescriptorPool()
_POOL.Add(_described())


def _message(name: str) -> Any:
    descriptor = _POOL.FindMessageTypeByName(f"crusoe_provider.ephemeral.{name}")
    return message_factory.GetMessageClass(descriptor)


SchemaEntry: Final = _message("SchemaEntry")
GetProviderSchemaResponse: Final = _message("GetProviderSchemaResponse")
EphemeralResourceMetadata: Final = _message("EphemeralResourceMetadata")
GetMetadataResponse: Final = _message("GetMetadataResponse")
ValidateRequest: Final = _message("ValidateRequest")
ValidateResponse: Final = _message("ValidateResponse")
OpenRequest: Final = _message("OpenRequest")
OpenResponse: Final = _message("OpenResponse")
RenewRequest: Final = _message("RenewRequest")
RenewResponse: Final = _message("RenewResponse")
CloseRequest: Final = _message("CloseRequest")
CloseResponse: Final = _message("CloseResponse")
