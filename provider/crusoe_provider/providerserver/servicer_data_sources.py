"""The RPCs of data sources."""

from tf import iface

from crusoe_provider.providerserver import protocol_pb2 as pb
from crusoe_provider.providerserver.plugin import Elements, Plugin
from crusoe_provider.providerserver.rpc import Call, Servicer, rpc
from crusoe_provider.providerserver.state_codec import StateCodec


class DataSourceServicer(Servicer):
    """Serves the data sources of a provider."""

    def __init__(self, plugin: Plugin) -> None:
        super().__init__(plugin)
        self._types = Elements(plugin, "data source", plugin.provider.get_data_sources)

    @rpc
    def ValidateDataResourceConfig(
        self,
        call: Call[pb.ValidateDataResourceConfig.Request, pb.ValidateDataResourceConfig.Response],
    ) -> None:
        """Check a data block; values may be unknown."""
        type_name = call.request.type_name
        data_source, codec = self._data_source(type_name)
        config = codec.decode_required(call.request.config)
        if not call.diagnostics.has_errors():
            data_source.validate(call.diagnostics, type_name, config)

    @rpc
    def ReadDataSource(
        self, call: Call[pb.ReadDataSource.Request, pb.ReadDataSource.Response]
    ) -> None:
        """Read a data source."""
        type_name = call.request.type_name
        data_source, codec = self._data_source(type_name)
        config = codec.decode_required(call.request.config, known=True)
        if call.diagnostics.has_errors():
            return
        state = data_source.read(iface.ReadDataContext(call.diagnostics, type_name), config)
        if not call.diagnostics.has_errors():
            call.response.state.CopyFrom(codec.encode(state, like=config))

    def _data_source(self, type_name: str) -> tuple[iface.DataSource, StateCodec]:
        kind, codec = self._types.find(type_name)
        return self.plugin.provider.new_data_source(kind), codec
