"""What Terraform stores for a provider: states as JSON, and private data."""

import json
from typing import Protocol

from crusoe_provider.providerserver import dynamic_value
from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_provider.providerserver.errors import MalformedRequestError, RequestError
from crusoe_provider.providerserver.resource import Private, State


class _Codec(Protocol):
    def complete(self, raw: State) -> State: ...


def private_data(stored: bytes) -> Private:
    """Return private data; what is none of ours (an earlier provider's) is nothing."""
    return dynamic_value.json_object(stored) or {}


def stored_private(private: Private) -> bytes:
    """Return private data as Terraform is to store it."""
    return json.dumps(private, sort_keys=True).encode() if private else b""


def stored_object(raw: pb.RawState) -> State:
    """Return a stored state as JSON has it.

    Raises:
        RequestError: It is no object.
    """
    stored = dynamic_value.json_object(raw.json)
    if stored is None:
        raise _unreadable(
            "The stored state of this object is no JSON object. Terraform 0.11 and earlier stored "
            "states in another form, which this provider never wrote."
        )
    return stored


def completed(codec: _Codec, stored: State) -> State:
    """Return a stored state decoded; see `StateCodec.complete`.

    Raises:
        RequestError: A value is not of its type.
    """
    try:
        return codec.complete(stored)
    except MalformedRequestError as error:
        raise _unreadable(
            f"{error.what} Somebody has edited the stored state of this object, or another "
            "version of the provider wrote it."
        ) from None


def check_version(what: str, stored: int, current: int) -> None:
    """Refuse what a newer version of the provider has stored.

    Args:
        what: What it is, such as `state of this toy_thing`.
        stored: The version of the schema that it was stored with.
        current: The version of the schema here.

    Raises:
        RequestError: It is newer.
    """
    if stored > current:
        raise RequestError(
            "State written by a newer version of the provider",
            f"The {what} has schema version {stored}; this version of the provider knows versions "
            f"up to {current}.\n\n"
            "Use the version of the provider that wrote the state, or a later one.",
        )


def _unreadable(what: str) -> RequestError:
    return RequestError(
        "Unreadable state",
        f"{what}\n\n"
        "Restore the state from a backup, or remove the object from it (terraform state rm) "
        "and import it again.",
    )
