"""The RPCs of list resources."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from tf.utils import Diagnostic, Diagnostics

from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_provider.providerserver.errors import RequestError, messages_of
from crusoe_provider.providerserver.list_resource import ListContext, ListResult
from crusoe_provider.providerserver.list_resource import ListResource as Lister
from crusoe_provider.providerserver.managed import Managed, ManagedResources
from crusoe_provider.providerserver.plugin import Elements, Plugin
from crusoe_provider.providerserver.rpc import Call, Servicer, rpc, work
from crusoe_provider.providerserver.state_codec import StateCodec
from crusoe_provider.providerserver.text import printable_line

if TYPE_CHECKING:
    import grpc


class ListServicer(Servicer):
    """Serves the list resources of a provider."""

    def __init__(self, plugin: Plugin) -> None:
        super().__init__(plugin)
        types = plugin.provider.get_list_resources
        self._types: Elements[Lister] = Elements(plugin, "list resource", types)
        self._resources = ManagedResources(plugin)

    @rpc
    def ValidateListResourceConfig(
        self,
        call: Call[pb.ValidateListResourceConfig.Request, pb.ValidateListResourceConfig.Response],
    ) -> None:
        """Check the `config` block of a list block; values may be unknown."""
        type_name = call.request.type_name
        found, codec = self._list_resource(type_name)
        config = codec.decode_required(call.request.config)
        if not call.diagnostics.has_errors():
            found.validate(call.diagnostics, type_name, config)

    def ListResource(
        self, request: pb.ListResource.Request, context: "grpc.ServicerContext"
    ) -> Iterator[pb.ListResource.Event]:
        """Find objects.

        Terraform stops reading when it has as many as it wants, and this generator is dropped then.
        So all the work is done before the first result is given away.
        """
        del context
        diagnostics = Diagnostics()
        events: list[pb.ListResource.Event] = []

        def find() -> None:
            for event in self._events(request, diagnostics):
                events.append(event)  # noqa: PERF402 - what was found stays when the next one fails

        work(self.plugin, "ListResource", request, diagnostics, find)
        # What has gone wrong stands alone: Terraform ignores the rest of an event with an error.
        for message in messages_of(diagnostics):
            yield pb.ListResource.Event(diagnostic=[message])
        yield from events

    def _events(
        self, request: pb.ListResource.Request, diagnostics: Diagnostics
    ) -> Iterator[pb.ListResource.Event]:
        found, codec = self._list_resource(request.type_name)
        managed = self._resources.find(request.type_name)
        config = codec.decode_required(request.config, known=True)
        if diagnostics.has_errors():
            return
        if request.limit < 0:
            raise RequestError("Negative limit", "A list block cannot have less than no results.")
        results = found.list(
            ListContext(diagnostics, request.type_name),
            config,
            include_resource=request.include_resource_object,
            limit=request.limit,
        )
        for result in islice(results, request.limit):
            yield _event(managed, result, include_resource=request.include_resource_object)

    def _list_resource(self, type_name: str) -> tuple[Lister, StateCodec]:
        kind, codec = self._types.find(type_name)
        return self.plugin.provider.new_element(kind), codec


def _event(
    managed: Managed, result: ListResult, *, include_resource: bool
) -> pb.ListResource.Event:
    event = pb.ListResource.Event(display_name=printable_line(result.display_name))
    identity = managed.identities and managed.identities.encode(result.identity)
    if not identity:
        raise TypeError("a result without identity")
    event.identity.CopyFrom(identity)
    if include_resource and result.state is not None:
        event.resource_object.CopyFrom(managed.codec.encode(result.state))
    event.diagnostic.extend(messages_of(_collected(result.diagnostics)))
    return event


def _collected(diagnostics: Sequence[Diagnostic]) -> Diagnostics:
    collected = Diagnostics()
    collected.diagnostics.extend(diagnostics)
    return collected
