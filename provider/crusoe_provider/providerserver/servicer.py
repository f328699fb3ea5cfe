"""The plugin protocol: `tf`'s servicer, completed. One RPC, one small function.

The functions follow terraform-plugin-framework's `internal/fwserver`: decode the request, hand it
to the provider, encode the answer. What `tf` answers well is left to it.
"""

import json
from collections.abc import Callable
from typing import Any, Final, cast

import grpc
from tf import iface
from tf.gen import tfplugin_pb2 as pb
from tf.provider import ProviderServicer
from tf.schema import Schema
from tf.utils import Diagnostics

from crusoe_provider.providerserver import dynamic_value, planning
from crusoe_provider.providerserver.ephemeral_servicer import EphemeralServicer
from crusoe_provider.providerserver.errors import MalformedRequestError, RequestError
from crusoe_provider.providerserver.functions import call_function
from crusoe_provider.providerserver.lifetime import Lifetime
from crusoe_provider.providerserver.provider import Provider
from crusoe_provider.providerserver.recent_creations import RecentCreations
from crusoe_provider.providerserver.resource import (
    CreateContext,
    DeleteContext,
    MoveSource,
    PlanContext,
    PlanDestroyContext,
    Private,
    ReadContext,
    Resource,
    State,
    UpdateContext,
)
from crusoe_provider.providerserver.rpc import Call, rpc
from crusoe_provider.providerserver.state_codec import StateCodec
from crusoe_provider.providerserver.terraform import Terraform

_CAPABILITIES: Final = pb.ServerCapabilities(
    plan_destroy=True, get_provider_schema_optional=True, move_resource_state=True
)


class Servicer(ProviderServicer):
    """Serves one provider over the plugin protocol, version 6.

    Args:
        provider: The provider, as `tf` defines it; its resources are `host.resource.Resource`.
        lifetime: Keeps the process alive while calls are under way, and hears of a stop.
        creations: Takes note of what is created.
        terraform: Is told whether it plans or applies.
        hide: Called with every sensitive value that passes, so that the log can leave it out.
    """

    def __init__(
        self,
        provider: Provider,
        lifetime: Lifetime,
        creations: RecentCreations,
        terraform: Terraform,
        *,
        hide: Callable[[str], None],
    ) -> None:
        super().__init__(provider)
        self.provider = provider
        self.lifetime = lifetime
        self._terraform = terraform
        self._creations = creations
        self.ephemeral = EphemeralServicer(provider, lifetime, hide=hide)
        self._hide = hide

    # -- The provider --------------------------------------------------------------------------

    @rpc(pb.GetMetadata.Response)
    def GetMetadata(self, call: Call[Any, Any]) -> None:
        """Say what is served, without the schemas."""
        response = call.response
        response.server_capabilities.CopyFrom(_CAPABILITIES)
        for name in self._load_res_cls_map():
            response.resources.add(type_name=name)
        for name in self._load_ds_cls_map():
            response.data_sources.add(type_name=name)
        for name in self._load_func_cls_map():
            response.functions.add(name=name)
        self.ephemeral.add_metadata(response)

    @rpc(pb.GetProviderSchema.Response)
    def GetProviderSchema(self, call: Call[Any, Any]) -> None:
        """Return all schemas."""
        response = call.response
        response.server_capabilities.CopyFrom(_CAPABILITIES)
        response.provider.CopyFrom(self.app.get_provider_schema(call.diagnostics).to_pb())
        for name, resource in self._load_res_cls_map().items():
            response.resource_schemas[name].CopyFrom(resource.get_schema().to_pb())
        for name, data_source in self._load_ds_cls_map().items():
            response.data_source_schemas[name].CopyFrom(data_source.get_schema().to_pb())
        for name, function in self._load_func_cls_map().items():
            response.functions[name].CopyFrom(function.get_signature().to_pb())
        self.ephemeral.add_schemas(response)

    @rpc(pb.ValidateProviderConfig.Response)
    def ValidateProviderConfig(self, call: Call[Any, Any]) -> None:
        """Check the provider block; values may be unknown."""
        config = self._provider_codec(call.diagnostics).decode(
            call.request.config, call.diagnostics
        )
        self.app.validate_config(call.diagnostics, config or {})

    @rpc(pb.ConfigureProvider.Response)
    def ConfigureProvider(self, call: Call[Any, Any]) -> None:
        """Configure the provider; values that depend on other resources may be unknown."""
        config = self._provider_codec(call.diagnostics).decode(
            call.request.config, call.diagnostics
        )
        self._terraform.configures(call.request.config.SerializeToString(), deferral_allowed=False)
        if not call.diagnostics.has_errors():
            self.app.configure_provider(call.diagnostics, config or {})

    def StopProvider(self, request: Any, context: grpc.ServicerContext) -> pb.StopProvider.Response:
        """Ask the provider to come to an end; calls under way still get their answers."""
        del request, context
        self.lifetime.stop.set()
        return pb.StopProvider.Response()

    # -- Managed resources ---------------------------------------------------------------------

    @rpc(pb.ValidateResourceConfig.Response)
    def ValidateResourceConfig(self, call: Call[Any, Any]) -> None:
        """Check a resource block; values may be unknown."""
        resource, codec = self._resource(call.request.type_name)
        config = codec.decode_required(call.request.config, call.diagnostics)
        if not call.diagnostics.has_errors():
            resource.validate(call.diagnostics, call.request.type_name, config)

    @rpc(pb.UpgradeResourceState.Response)
    def UpgradeResourceState(self, call: Call[Any, Any]) -> None:
        """Bring a stored state to the current schema; called for each one that is loaded."""
        request = call.request
        resource, codec = self._resource(request.type_name)
        raw = _stored_object(request.raw_state)
        current_version = resource.get_schema().version or 0
        if request.version > current_version:
            raise RequestError(
                "State written by a newer version of the provider",
                f"The state of this {request.type_name} has schema version {request.version}; "
                f"this version of the provider knows versions up to {current_version}.\n\n"
                "Use the version of the provider that wrote the state, or a later one.",
            )
        if request.version < current_version:
            context = iface.UpgradeContext(call.diagnostics, request.type_name)
            raw = resource.upgrade(context, request.version, raw) or {}
        state = _completed(codec, raw, call.diagnostics)
        if not call.diagnostics.has_errors():
            resource.observe(state)
            call.response.upgraded_state.CopyFrom(codec.encode(state))

    @rpc(pb.ReadResource.Response)
    def ReadResource(self, call: Call[Any, Any]) -> None:
        """Refresh a state; on errors it stays as it is."""
        request, response = call.request, call.response
        response.new_state.CopyFrom(request.current_state)
        response.private = request.private
        resource, codec = self._resource(request.type_name)
        current = codec.decode_required(
            request.current_state, call.diagnostics, known=True, what="current state"
        )
        resource.observe(current)
        context = ReadContext(call.diagnostics, request.type_name, _private(request.private))
        state = resource.read(context, dict(current))
        if not call.diagnostics.has_errors():
            response.new_state.CopyFrom(codec.encode(state, like=current))
            response.private = _stored_private(context.private)

    @rpc(pb.PlanResourceChange.Response)
    def PlanResourceChange(self, call: Call[Any, Any]) -> None:
        """Plan a creation, an update, a replacement or a destruction."""
        request, response = call.request, call.response
        response.planned_private = request.prior_private
        resource, codec = self._resource(request.type_name)
        prior = codec.decode(request.prior_state, call.diagnostics, known=True)
        proposed = codec.decode(request.proposed_new_state, call.diagnostics)
        if call.diagnostics.has_errors():
            return
        if proposed is None:
            response.planned_state.CopyFrom(codec.encode(None))
            if prior is not None:
                private = _private(request.prior_private)
                resource.plan_destroy(
                    PlanDestroyContext(call.diagnostics, request.type_name, private), prior
                )
            return
        config = codec.decode_required(request.config, call.diagnostics)
        if prior is None:
            planned, changed = planning.proposed_for_creation(codec, proposed), set(proposed)
        else:
            planned, changed = proposed, planning.changed_attributes(codec, prior, proposed)
        private = _private(request.prior_private)
        context = PlanContext(call.diagnostics, request.type_name, changed, config, private)
        planned = resource.plan(context, prior, dict(planned))
        response.planned_private = _stored_private(private)
        # What means the same as before is no change, whatever its spelling.
        response.planned_state.CopyFrom(codec.encode(planned, like=prior or proposed))
        if prior is not None:
            replacing = planning.replacing_attributes(codec, prior, planned)
            response.requires_replace.extend(
                planning.attribute_paths(replacing | context.requires_replace)
            )

    @rpc(pb.ApplyResourceChange.Response)
    def ApplyResourceChange(self, call: Call[Any, Any]) -> None:
        """Carry out a plan."""
        request = call.request
        # Whatever happens, an object that was there before stays in the state.
        call.response.new_state.CopyFrom(request.prior_state)
        call.response.private = request.planned_private
        resource, codec = self._resource(request.type_name)
        prior = codec.decode(request.prior_state, call.diagnostics, known=True)
        planned = codec.decode(request.planned_state, call.diagnostics)
        if call.diagnostics.has_errors():
            return
        if prior is None and planned is not None:
            self._create(call, resource, codec, planned)
        elif prior is not None and planned is None:
            private = _private(request.planned_private)
            resource.delete(DeleteContext(call.diagnostics, request.type_name, private), prior)
            if not call.diagnostics.has_errors():
                call.response.new_state.CopyFrom(codec.encode(None))
        elif prior is not None and planned is not None:
            self._update(call, resource, codec, prior, planned)
        else:
            raise RequestError("Nothing to apply", "Terraform asked to change nothing to nothing.")

    def _create(
        self, call: Call[Any, Any], resource: Resource, codec: StateCodec, planned: State
    ) -> None:
        created: list[State] = []
        private = _private(call.request.planned_private)

        def save(state: State) -> None:
            created[:] = [dict(state)]
            call.response.new_state.CopyFrom(_result(codec, state, planned))
            call.response.private = _stored_private(private)

        config = codec.decode(call.request.config, call.diagnostics) or {}
        context = CreateContext(call.diagnostics, call.request.type_name, config, private, save)
        try:
            state = resource.create(context, dict(planned))
            if state is not None:
                save(state)
        finally:
            if created and call.peer_gone():
                resource.undo_create(created[0])
            elif created:
                self._creations.add(lambda: resource.undo_create(created[0]))

    def _update(
        self,
        call: Call[Any, Any],
        resource: Resource,
        codec: StateCodec,
        prior: State,
        planned: State,
    ) -> None:
        saved: list[State] = []
        private = _private(call.request.planned_private)

        def save(state: State) -> None:
            saved[:] = [dict(state)]
            call.response.new_state.CopyFrom(_result(codec, state, planned))
            call.response.private = _stored_private(private)

        context = UpdateContext(call.diagnostics, call.request.type_name, private, save)
        try:
            state = resource.update(context, prior, dict(planned))
            if state is not None and not call.diagnostics.has_errors():
                save(state)
        finally:
            if saved and call.peer_gone():
                resource.undo_update(saved[0], prior)
            elif saved:
                self._creations.add(lambda: resource.undo_update(saved[0], prior))

    @rpc(pb.ImportResourceState.Response)
    def ImportResourceState(self, call: Call[Any, Any]) -> None:
        """Find an existing object by the ID that the user gives."""
        type_name = call.request.type_name
        resource, codec = self._resource(type_name)
        if not iface.is_importable(type(resource)):
            raise RequestError(
                "Import is not supported", f"This version cannot import a {type_name}."
            )
        context = iface.ImportContext(call.diagnostics, type_name)
        state = resource.import_(context, call.request.id)
        if state is not None and not call.diagnostics.has_errors():
            resource.observe(state)
            call.response.imported_resources.add(type_name=type_name, state=codec.encode(state))

    @rpc(pb.MoveResourceState.Response)
    def MoveResourceState(self, call: Call[Any, Any]) -> None:
        """Make a stored state of another type one of ours, for a `moved` block between types."""
        request = call.request
        resource, codec = self._resource(request.target_type_name)
        source = MoveSource(
            provider_address=request.source_provider_address,
            type_name=request.source_type_name,
            schema_version=request.source_schema_version,
            state=_stored_object(request.source_state),
            private=_private(request.source_private),
        )
        moved = resource.move(call.diagnostics, source)
        if moved is None and not call.diagnostics.has_errors():
            raise RequestError(
                "Move is not supported",
                f"A {source.type_name} of {source.provider_address} cannot become a "
                f"{request.target_type_name}.\n\n"
                "Remove the moved block; take the old resource out of the state without deleting "
                "it (a removed block with destroy = false), and import the object here.",
            )
        if moved is not None:
            state = _completed(codec, moved, call.diagnostics)
            call.response.target_state.CopyFrom(codec.encode(state))
            call.response.target_private = _stored_private(source.private)

    # -- Data sources --------------------------------------------------------------------------

    @rpc(pb.ValidateDataResourceConfig.Response)
    def ValidateDataResourceConfig(self, call: Call[Any, Any]) -> None:
        """Check a data block; values may be unknown."""
        data_source, codec = self._data_source(call.request.type_name)
        config = codec.decode_required(call.request.config, call.diagnostics)
        if not call.diagnostics.has_errors():
            data_source.validate(call.diagnostics, call.request.type_name, config)

    @rpc(pb.ReadDataSource.Response)
    def ReadDataSource(self, call: Call[Any, Any]) -> None:
        """Read a data source."""
        type_name = call.request.type_name
        data_source, codec = self._data_source(type_name)
        config = codec.decode_required(call.request.config, call.diagnostics, known=True)
        state = data_source.read(iface.ReadDataContext(call.diagnostics, type_name), config)
        if not call.diagnostics.has_errors():
            call.response.state.CopyFrom(codec.encode(state, like=config))

    def CallFunction(self, request: Any, context: grpc.ServicerContext) -> pb.CallFunction.Response:
        """Call a provider function; see `call_function`."""
        del context
        with self.lifetime.call():
            return call_function(self.app, self._load_func_cls_map(), request)

    # -- Helpers -------------------------------------------------------------------------------

    def _provider_codec(self, diagnostics: Diagnostics) -> StateCodec:
        return self._codec(self.app.get_provider_schema(diagnostics))

    def _resource(self, type_name: str) -> tuple[Resource, StateCodec]:
        kind = self._load_res_cls_map().get(type_name)
        if kind is None:
            raise _unknown_type("resource", type_name)
        return cast("Resource", self.app.new_resource(kind)), self._codec(kind.get_schema())

    def _data_source(self, type_name: str) -> tuple[iface.DataSource, StateCodec]:
        kind = self._load_ds_cls_map().get(type_name)
        if kind is None:
            raise _unknown_type("data source", type_name)
        return self.app.new_data_source(kind), self._codec(kind.get_schema())

    def _codec(self, schema: Schema) -> StateCodec:
        return StateCodec(schema, self._hide)


def _result(codec: StateCodec, state: State | None, planned: State) -> pb.DynamicValue:
    known = None if state is None else planning.without_unknowns(state)
    return codec.encode(known, like=planned)


def _private(stored: bytes) -> Private:
    """Return private data; what is none of ours (an earlier provider's) is nothing."""
    return dynamic_value.json_object(stored) or {}


def _stored_private(private: Private) -> bytes:
    return json.dumps(private, sort_keys=True).encode() if private else b""


def _stored_object(raw: pb.RawState) -> State:
    """Return the stored state as JSON has it."""
    stored = dynamic_value.json_object(raw.json)
    if stored is None:
        raise _unreadable_state(
            "The stored state of this object is no JSON object. Terraform 0.11 and earlier stored "
            "states in another form, which this provider never wrote."
        )
    return stored


def _completed(codec: StateCodec, stored: State, diagnostics: Diagnostics) -> State:
    try:
        return codec.complete(stored, diagnostics)
    except MalformedRequestError as error:
        raise _unreadable_state(
            f"{error.what} Somebody has edited the stored state of this object, or another "
            "version of the provider wrote it."
        ) from None


def _unreadable_state(what: str) -> RequestError:
    return RequestError(
        "Unreadable state",
        f"{what}\n\n"
        "Restore the state from a backup, or remove the object from it (terraform state rm) "
        "and import it again.",
    )


def _unknown_type(kind: str, type_name: str) -> RequestError:
    return RequestError(
        f"Unknown {kind} type",
        f'This version of the provider has no {kind} "{type_name}".\n\n'
        "Check the spelling, or the version in required_providers.",
    )
