"""The RPCs of managed resources, but for those that plan and apply a change."""

from tf import iface

from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_provider.providerserver.errors import RequestError
from crusoe_provider.providerserver.managed import ManagedResources
from crusoe_provider.providerserver.plugin import Plugin
from crusoe_provider.providerserver.resource import ImportContext, MoveSource, ReadContext
from crusoe_provider.providerserver.rpc import Call, Servicer, rpc
from crusoe_provider.providerserver.stored import (
    check_version,
    completed,
    private_data,
    stored_object,
    stored_private,
)


class ResourceServicer(Servicer):
    """Serves the managed resources of a provider."""

    def __init__(self, plugin: Plugin) -> None:
        super().__init__(plugin)
        self._resources = ManagedResources(plugin)

    @rpc
    def GetResourceIdentitySchemas(
        self,
        call: Call[pb.GetResourceIdentitySchemas.Request, pb.GetResourceIdentitySchemas.Response],
    ) -> None:
        """Return the identity schemas of the resources that have one."""
        for name, kind in self._resources.types:
            if identities := self._resources.identities_of(kind):
                call.response.identity_schemas[name].CopyFrom(identities.describe())

    @rpc
    def ValidateResourceConfig(
        self, call: Call[pb.ValidateResourceConfig.Request, pb.ValidateResourceConfig.Response]
    ) -> None:
        """Check a resource block; values may be unknown."""
        found = self._resources.find(call.request.type_name)
        config = found.codec.decode_required(call.request.config)
        if not call.diagnostics.has_errors():
            found.resource.validate(call.diagnostics, call.request.type_name, config)

    @rpc
    def UpgradeResourceState(
        self, call: Call[pb.UpgradeResourceState.Request, pb.UpgradeResourceState.Response]
    ) -> None:
        """Bring a stored state to the current schema; called for each one that is loaded."""
        request = call.request
        found = self._resources.find(request.type_name)
        raw = stored_object(request.raw_state)
        current = found.resource.get_schema().version or 0
        check_version(f"state of this {request.type_name}", request.version, current)
        if request.version < current:
            context = iface.UpgradeContext(call.diagnostics, request.type_name)
            raw = found.resource.upgrade(context, request.version, raw) or {}
        state = completed(found.codec, raw)
        if not call.diagnostics.has_errors():
            found.resource.observe(state)
            call.response.upgraded_state.CopyFrom(found.codec.encode(state))

    @rpc
    def UpgradeResourceIdentity(
        self, call: Call[pb.UpgradeResourceIdentity.Request, pb.UpgradeResourceIdentity.Response]
    ) -> None:
        """Bring a stored identity to the current schema; nothing, where none was stored."""
        request = call.request
        found = self._resources.find(request.type_name)
        if found.identities is None:
            raise _no_identity(request.type_name)
        current = found.identities.schema.version
        check_version(f"identity of this {request.type_name}", request.version, current)
        if request.raw_identity.json in (b"", b"null", b"{}"):
            return
        raw = stored_object(request.raw_identity)
        if request.version < current:
            raw = found.resource.upgrade_identity(request.version, raw)
        identity = completed(found.identities, raw)
        encoded = found.identities.encode(identity)
        if encoded is not None and not call.diagnostics.has_errors():
            call.response.upgraded_identity.CopyFrom(encoded)

    @rpc
    def ReadResource(self, call: Call[pb.ReadResource.Request, pb.ReadResource.Response]) -> None:
        """Refresh a state; on errors it stays as it is."""
        request, response = call.request, call.response
        response.new_state.CopyFrom(request.current_state)
        response.private = request.private
        if request.HasField("current_identity"):
            response.new_identity.CopyFrom(request.current_identity)
        found = self._resources.find(request.type_name)
        current = found.codec.decode_required(
            request.current_state, known=True, what="current state"
        )
        found.resource.observe(current)
        context = ReadContext(call.diagnostics, request.type_name, private_data(request.private))
        state = found.resource.read(context, dict(current))
        if call.diagnostics.has_errors():
            # A state that had no identity yet gets one all the same.
            found.identify(response.new_identity, current)
            return
        response.new_state.CopyFrom(found.codec.encode(state, like=current))
        response.private = stored_private(context.private)
        response.ClearField("new_identity")
        found.identify(response.new_identity, state)

    @rpc
    def ImportResourceState(
        self, call: Call[pb.ImportResourceState.Request, pb.ImportResourceState.Response]
    ) -> None:
        """Find an existing object by the ID, or by the identity, that the user gives."""
        request = call.request
        type_name = request.type_name
        found = self._resources.find(type_name)
        if not iface.is_importable(type(found.resource)):
            raise RequestError(
                "Import is not supported", f"This version cannot import a {type_name}."
            )
        context = ImportContext(call.diagnostics, type_name)
        if request.HasField("identity"):
            if found.identities is None:
                raise _no_identity(type_name)
            context.identity = found.identities.decode(request.identity)
        if call.diagnostics.has_errors():
            return
        state = found.resource.import_(context, request.id)
        if state is not None and not call.diagnostics.has_errors():
            found.resource.observe(state)
            imported = call.response.imported_resources.add(
                type_name=type_name, state=found.codec.encode(state)
            )
            if request.HasField("identity"):
                imported.identity.CopyFrom(request.identity)
            found.identify(imported.identity, found.codec.filled(state))

    @rpc
    def MoveResourceState(
        self, call: Call[pb.MoveResourceState.Request, pb.MoveResourceState.Response]
    ) -> None:
        """Make a stored state of another type one of ours, for a `moved` block between types."""
        request = call.request
        found = self._resources.find(request.target_type_name)
        stored_identity = request.source_identity.json
        source = MoveSource(
            provider_address=request.source_provider_address,
            type_name=request.source_type_name,
            schema_version=request.source_schema_version,
            state=stored_object(request.source_state),
            identity=private_data(stored_identity),
            private=private_data(request.source_private),
        )
        moved = found.resource.move(call.diagnostics, source)
        if moved is None and not call.diagnostics.has_errors():
            raise RequestError(
                "Move is not supported",
                f"A {source.type_name} of {source.provider_address} cannot become a "
                f"{request.target_type_name}.\n\n"
                "Remove the moved block; take the old resource out of the state without deleting "
                "it (a removed block with destroy = false), and import the object here.",
            )
        if moved is not None:
            state = completed(found.codec, moved)
            call.response.target_state.CopyFrom(found.codec.encode(state))
            call.response.target_private = stored_private(source.private)
            found.identify(call.response.target_identity, state)


def _no_identity(type_name: str) -> RequestError:
    return RequestError(
        "No identity", f"In this version of the provider a {type_name} has no identity."
    )
