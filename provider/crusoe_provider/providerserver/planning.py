"""The part of planning that is the same for every resource."""

from tf.types import Unknown

from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_provider.providerserver.errors import attribute_path
from crusoe_provider.providerserver.resource import State
from crusoe_provider.providerserver.state_codec import StateCodec


def proposed_for_creation(codec: StateCodec, proposed: State) -> State:
    """Return `proposed` with computed attributes that have no value yet made their default.

    Without a default in the schema that is `Unknown`.
    """
    return {
        name: attribute.default
        if value is None and (attribute := codec.attributes.get(name)) and attribute.computed
        else value
        for name, value in proposed.items()
    }


def changed_attributes(codec: StateCodec, before: State, after: State) -> set[str]:
    """Return the names of attributes and blocks whose meaning differs; an unknown value counts."""
    return {
        name
        for name in (*codec.attributes, *codec.blocks)
        if not codec.equal(name, before[name], after[name]) or after[name] is Unknown
    }


def replacing_attributes(codec: StateCodec, prior: State, planned: State) -> set[str]:
    """Return the names of the attributes whose planned change the schema says to replace for."""
    return {
        name
        for name in changed_attributes(codec, prior, planned)
        if name in codec.attributes and codec.attributes[name].requires_replace
    }


def attribute_paths(names: set[str]) -> list[pb.AttributePath]:
    """Return the paths of top-level attributes, in a stable order."""
    return [attribute_path([name]) for name in sorted(names)]


def without_unknowns(state: State) -> State:
    """Return `state` with unknown values made null: Terraform refuses any after an apply."""
    return {name: None if value is Unknown else value for name, value in state.items()}
