"""The RPCs of actions."""

import queue
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tf.utils import Diagnostics

from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_provider.providerserver.action import Action, ActionContext
from crusoe_provider.providerserver.errors import add_exception, messages_of
from crusoe_provider.providerserver.plugin import Elements, Plugin
from crusoe_provider.providerserver.rpc import Call, Servicer, rpc, work
from crusoe_provider.providerserver.state_codec import StateCodec
from crusoe_provider.providerserver.text import printable_line

if TYPE_CHECKING:
    import grpc


class ActionServicer(Servicer):
    """Serves the actions of a provider."""

    def __init__(self, plugin: Plugin) -> None:
        super().__init__(plugin)
        self._types: Elements[Action] = Elements(plugin, "action", plugin.provider.get_actions)

    @rpc
    def ValidateActionConfig(
        self, call: Call[pb.ValidateActionConfig.Request, pb.ValidateActionConfig.Response]
    ) -> None:
        """Check the `config` block of an action block; values may be unknown."""
        type_name = call.request.type_name
        action, codec = self._action(type_name)
        config = codec.decode_required(call.request.config)
        if not call.diagnostics.has_errors():
            action.validate(call.diagnostics, type_name, config)

    @rpc
    def PlanAction(self, call: Call[pb.PlanAction.Request, pb.PlanAction.Response]) -> None:
        """Look whether an action can be done; values may be unknown."""
        type_name = call.request.action_type
        action, codec = self._action(type_name)
        config = codec.decode_required(call.request.config)
        if not call.diagnostics.has_errors():
            action.plan(ActionContext(call.diagnostics, type_name), config)

    def InvokeAction(
        self, request: pb.InvokeAction.Request, context: "grpc.ServicerContext"
    ) -> Iterator[pb.InvokeAction.Event]:
        """Do an action: events about its progress, then one that says that it is completed.

        It is done in a thread of its own, so that it comes to its end whoever is left to listen.
        """
        del context
        diagnostics = Diagnostics()
        messages: queue.SimpleQueue[str | None] = queue.SimpleQueue()

        def invoke() -> None:
            action, codec = self._action(request.action_type)
            config = codec.decode_required(request.config, known=True)
            if not diagnostics.has_errors():
                context = ActionContext(diagnostics, request.action_type)
                action.invoke(context, config, messages.put)

        def run() -> None:
            try:
                work(self.plugin, "InvokeAction", request, diagnostics, invoke)
            finally:
                messages.put(None)

        try:
            threading.Thread(target=run, name="action", daemon=True).start()
        except Exception as exc:  # noqa: BLE001 - the boundary, as in `work`
            add_exception(diagnostics, "InvokeAction", exc, self.plugin.provider)
            messages.put(None)
        while (message := messages.get()) is not None:
            # Terraform panics at an event that is neither of the two kinds.
            progress = pb.InvokeAction.Event.Progress(message=printable_line(message))
            yield pb.InvokeAction.Event(progress=progress)
        completed = pb.InvokeAction.Event.Completed(diagnostics=messages_of(diagnostics))
        yield pb.InvokeAction.Event(completed=completed)

    def _action(self, type_name: str) -> tuple[Action, StateCodec]:
        kind, codec = self._types.find(type_name)
        return self.plugin.provider.new_element(kind), codec
