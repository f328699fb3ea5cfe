from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class SchemaEntry(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: bytes
    def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...

class GetProviderSchemaResponse(_message.Message):
    __slots__ = ("ephemeral_resource_schemas",)
    EPHEMERAL_RESOURCE_SCHEMAS_FIELD_NUMBER: _ClassVar[int]
    ephemeral_resource_schemas: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, ephemeral_resource_schemas: _Optional[_Iterable[bytes]] = ...) -> None: ...

class EphemeralResourceMetadata(_message.Message):
    __slots__ = ("type_name",)
    TYPE_NAME_FIELD_NUMBER: _ClassVar[int]
    type_name: str
    def __init__(self, type_name: _Optional[str] = ...) -> None: ...

class GetMetadataResponse(_message.Message):
    __slots__ = ("ephemeral_resources",)
    EPHEMERAL_RESOURCES_FIELD_NUMBER: _ClassVar[int]
    ephemeral_resources: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, ephemeral_resources: _Optional[_Iterable[bytes]] = ...) -> None: ...

class ValidateRequest(_message.Message):
    __slots__ = ("type_name", "config")
    TYPE_NAME_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    type_name: str
    config: bytes
    def __init__(self, type_name: _Optional[str] = ..., config: _Optional[bytes] = ...) -> None: ...

class ValidateResponse(_message.Message):
    __slots__ = ("diagnostics",)
    DIAGNOSTICS_FIELD_NUMBER: _ClassVar[int]
    diagnostics: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, diagnostics: _Optional[_Iterable[bytes]] = ...) -> None: ...

class OpenRequest(_message.Message):
    __slots__ = ("type_name", "config")
    TYPE_NAME_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    type_name: str
    config: bytes
    def __init__(self, type_name: _Optional[str] = ..., config: _Optional[bytes] = ...) -> None: ...

class OpenResponse(_message.Message):
    __slots__ = ("diagnostics", "result", "private")
    DIAGNOSTICS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_FIELD_NUMBER: _ClassVar[int]
    diagnostics: _containers.RepeatedScalarFieldContainer[bytes]
    result: bytes
    private: bytes
    def __init__(self, diagnostics: _Optional[_Iterable[bytes]] = ..., result: _Optional[bytes] = ..., private: _Optional[bytes] = ...) -> None: ...

class RenewRequest(_message.Message):
    __slots__ = ("type_name", "private")
    TYPE_NAME_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_FIELD_NUMBER: _ClassVar[int]
    type_name: str
    private: bytes
    def __init__(self, type_name: _Optional[str] = ..., private: _Optional[bytes] = ...) -> None: ...

class RenewResponse(_message.Message):
    __slots__ = ("diagnostics", "private")
    DIAGNOSTICS_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_FIELD_NUMBER: _ClassVar[int]
    diagnostics: _containers.RepeatedScalarFieldContainer[bytes]
    private: bytes
    def __init__(self, diagnostics: _Optional[_Iterable[bytes]] = ..., private: _Optional[bytes] = ...) -> None: ...

class CloseRequest(_message.Message):
    __slots__ = ("type_name", "private")
    TYPE_NAME_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_FIELD_NUMBER: _ClassVar[int]
    type_name: str
    private: bytes
    def __init__(self, type_name: _Optional[str] = ..., private: _Optional[bytes] = ...) -> None: ...

class CloseResponse(_message.Message):
    __slots__ = ("diagnostics",)
    DIAGNOSTICS_FIELD_NUMBER: _ClassVar[int]
    diagnostics: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, diagnostics: _Optional[_Iterable[bytes]] = ...) -> None: ...
