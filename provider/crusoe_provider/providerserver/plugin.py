"""What the servicers of one plugin share."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Protocol, TypeVar

from tf.schema import Schema

from crusoe_provider.providerserver.errors import RequestError
from crusoe_provider.providerserver.lifetime import Lifetime
from crusoe_provider.providerserver.provider import Provider
from crusoe_provider.providerserver.recent_creations import RecentCreations
from crusoe_provider.providerserver.state_codec import StateCodec
from crusoe_provider.providerserver.terraform import Terraform


@dataclass(frozen=True, eq=False)
class Plugin:
    """A provider that is served.

    Attributes:
        provider: The provider.
        lifetime: Keeps the process alive while calls are under way, and hears of a stop.
        creations: Takes note of what is created.
        terraform: Is told whether it plans or applies.
        hide: Called with every sensitive value that passes, so that the log can leave it out.
    """

    provider: Provider
    lifetime: Lifetime
    creations: RecentCreations
    terraform: Terraform
    hide: Callable[[str], None]


class _Element(Protocol):
    @classmethod
    def get_name(cls) -> str: ...

    @classmethod
    def get_schema(cls) -> Schema: ...


T = TypeVar("T", bound=_Element)


class Elements(Generic[T]):
    """The types of one kind, such as data sources, that a provider has.

    Args:
        plugin: The plugin.
        kind: What they are called.
        types: Returns their classes.
    """

    def __init__(self, plugin: Plugin, kind: str, types: Callable[[], Iterable[type[T]]]) -> None:
        self._plugin = plugin
        self._kind = kind
        self._types = types
        self._codecs: dict[str, StateCodec] = {}

    @cached_property
    def _by_name(self) -> dict[str, type[T]]:
        prefix = self._plugin.provider.get_model_prefix()
        return {prefix + kind.get_name(): kind for kind in self._types()}

    def __iter__(self) -> Iterator[tuple[str, type[T]]]:
        """Iterate over type names and classes."""
        return iter(self._by_name.items())

    def find(self, type_name: str) -> tuple[type[T], StateCodec]:
        """Return a class and the codec of its schema.

        Raises:
            RequestError: There is no such type.
        """
        kind = self._by_name.get(type_name)
        if kind is None:
            raise RequestError(
                f"Unknown {self._kind} type",
                f'This version of the provider has no {self._kind} "{type_name}".\n\n'
                "Check the spelling, or the version in required_providers.",
            )
        if type_name not in self._codecs:
            self._codecs[type_name] = StateCodec(kind.get_schema(), self._plugin.hide)
        return kind, self._codecs[type_name]
