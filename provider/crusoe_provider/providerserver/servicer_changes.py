"""The RPCs that plan and apply a change of a managed resource."""

from tf.types import Unknown

from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_provider.providerserver.errors import RequestError, attribute_path
from crusoe_provider.providerserver.managed import Managed, ManagedResources
from crusoe_provider.providerserver.plugin import Plugin
from crusoe_provider.providerserver.resource import (
    CreateContext,
    DeleteContext,
    PlanContext,
    PlanDestroyContext,
    State,
    UpdateContext,
)
from crusoe_provider.providerserver.rpc import Call, Servicer, rpc
from crusoe_provider.providerserver.state_codec import StateCodec
from crusoe_provider.providerserver.stored import private_data, stored_private
from crusoe_provider.providerserver.terraform import Terraform

Plan = Call[pb.PlanResourceChange.Request, pb.PlanResourceChange.Response]
Apply = Call[pb.ApplyResourceChange.Request, pb.ApplyResourceChange.Response]


class ChangeServicer(Servicer):
    """Serves the changes of managed resources."""

    def __init__(self, plugin: Plugin) -> None:
        super().__init__(plugin)
        self._resources = ManagedResources(plugin)

    @rpc
    def PlanResourceChange(self, call: Plan) -> None:
        """Plan a creation, an update, a replacement or a destruction."""
        request, response = call.request, call.response
        response.planned_private = request.prior_private
        found = self._resources.find(request.type_name)
        prior = found.codec.decode(request.prior_state, known=True)
        proposed = found.codec.decode(request.proposed_new_state)
        # In the second half of a replacement there is no prior state, but the identity of the
        # predecessor, which is not that of the object to come.
        if prior is not None and request.HasField("prior_identity"):
            response.planned_identity.CopyFrom(request.prior_identity)
        if call.diagnostics.has_errors():
            return
        if proposed is None:
            _plan_destruction(call, found, prior)
            return
        if prior is None:
            # The process that will apply this has to be told from the one that plans it.
            self.plugin.terraform.phase()
        _plan_object(call, found, prior, proposed, self.plugin.terraform)

    @rpc
    def ApplyResourceChange(self, call: Apply) -> None:
        """Carry out a plan."""
        request, response = call.request, call.response
        # Whatever happens, an object that was there before stays in the state.
        response.new_state.CopyFrom(request.prior_state)
        response.private = request.planned_private
        found = self._resources.find(request.type_name)
        prior = found.codec.decode(request.prior_state, known=True)
        planned = found.codec.decode(request.planned_state)
        if prior is not None and request.HasField("planned_identity"):
            response.new_identity.CopyFrom(request.planned_identity)
        if call.diagnostics.has_errors():
            return
        if prior is None and planned is not None:
            self._create(call, found, planned)
        elif prior is not None and planned is None:
            _destroy(call, found, prior)
        elif prior is not None and planned is not None:
            self._update(call, found, prior, planned)
        else:
            raise RequestError("Nothing to apply", "Terraform asked to change nothing to nothing.")

    def _create(self, call: Apply, found: Managed, planned: State) -> None:
        request, response = call.request, call.response
        created: list[State] = []
        private = private_data(request.planned_private)

        def save(state: State) -> None:
            created[:] = [dict(state)]
            response.new_state.CopyFrom(_result(found.codec, state, planned))
            response.private = stored_private(private)
            found.identify(response.new_identity, _without_unknowns(state))

        config = found.codec.decode(request.config) or {}
        context = CreateContext(call.diagnostics, request.type_name, config, private, save)
        try:
            state = found.resource.create(context, dict(planned))
            if state is not None:
                save(state)
        finally:
            if created and call.peer_gone():
                found.resource.undo_create(created[0])
            elif created:
                self.plugin.creations.add(lambda: found.resource.undo_create(created[0]))

    def _update(self, call: Apply, found: Managed, prior: State, planned: State) -> None:
        request, response = call.request, call.response
        saved: list[State] = []
        private = private_data(request.planned_private)

        def save(state: State) -> None:
            saved[:] = [dict(state)]
            response.new_state.CopyFrom(_result(found.codec, state, planned))
            response.private = stored_private(private)
            found.identify(response.new_identity, _without_unknowns(state))

        context = UpdateContext(call.diagnostics, request.type_name, private, save)
        try:
            state = found.resource.update(context, prior, dict(planned))
            if state is not None and not call.diagnostics.has_errors():
                save(state)
        finally:
            if saved and call.peer_gone():
                found.resource.undo_update(saved[0], prior)
            elif saved:
                self.plugin.creations.add(lambda: found.resource.undo_update(saved[0], prior))


def _plan_destruction(call: Plan, found: Managed, prior: State | None) -> None:
    call.response.planned_state.CopyFrom(found.codec.encode(None))
    if prior is not None:
        private = private_data(call.request.prior_private)
        context = PlanDestroyContext(call.diagnostics, call.request.type_name, private)
        found.resource.plan_destroy(context, prior)
        found.identify(call.response.planned_identity, prior)


def _plan_object(
    call: Plan, found: Managed, prior: State | None, proposed: State, terraform: Terraform
) -> None:
    request, response, codec = call.request, call.response, found.codec
    config = codec.decode_required(request.config)
    # Terraform 1.0 proposes the block of the state where none is configured any more, and then
    # calls it invalid.
    proposed = proposed | {name: None for name in codec.blocks if config[name] is None}
    if prior is None:
        planned, changed = _proposed_for_creation(codec, proposed), set(proposed)
    else:
        changed = _changed_attributes(codec, prior, proposed)
        # What means the same is no change, whatever its spelling.
        planned = {name: v if name in changed else prior[name] for name, v in proposed.items()}
    private = private_data(request.prior_private)
    context = PlanContext(call.diagnostics, request.type_name, changed, config, private)
    if request.planned_private:
        context.planned_private = private_data(request.planned_private)
    planned = found.resource.plan(context, prior, dict(planned))
    response.planned_private = stored_private(private)
    like = proposed
    if prior is not None:
        changed = _changed_attributes(codec, prior, planned)
        if not changed and prior != proposed:
            # Another spelling is no change. But where some elements of a list were not known to the
            # plan, Terraform compares the others literally with what the apply plans once more.
            like = proposed if terraform.is_applying() else prior
        names = sorted(_replacing_attributes(codec, changed) | context.requires_replace)
        response.requires_replace.extend(attribute_path([name]) for name in names)
    response.planned_state.CopyFrom(codec.encode(planned, like=like))
    found.identify(response.planned_identity, planned)


def _destroy(call: Apply, found: Managed, prior: State) -> None:
    private = private_data(call.request.planned_private)
    context = DeleteContext(call.diagnostics, call.request.type_name, private)
    found.resource.delete(context, prior)
    if not call.diagnostics.has_errors():
        call.response.new_state.CopyFrom(found.codec.encode(None))
        call.response.ClearField("new_identity")


def _result(codec: StateCodec, state: State | None, planned: State) -> pb.DynamicValue:
    known = None if state is None else _without_unknowns(state)
    return codec.encode(known, like=planned)


def _proposed_for_creation(codec: StateCodec, proposed: State) -> State:
    """Return `proposed` with computed attributes that have no value yet made their default.

    Without a default in the schema that is `Unknown`.
    """
    return {
        name: attribute.default
        if value is None and (attribute := codec.attributes.get(name)) and attribute.computed
        else value
        for name, value in proposed.items()
    }


def _changed_attributes(codec: StateCodec, before: State, after: State) -> set[str]:
    """Return the names of attributes and blocks whose meaning differs; an unknown value counts."""
    return {
        name
        for name in (*codec.attributes, *codec.blocks)
        if not codec.equal(name, before[name], after[name]) or after[name] is Unknown
    }


def _replacing_attributes(codec: StateCodec, changed: set[str]) -> set[str]:
    """Return those of the names whose planned change the schema says to replace for."""
    return {
        name
        for name in changed
        if name in codec.attributes and codec.attributes[name].requires_replace
    }


def _without_unknowns(state: State) -> State:
    """Return `state` with unknown values made null: Terraform refuses any after an apply."""
    return {name: None if value is Unknown else value for name, value in state.items()}
