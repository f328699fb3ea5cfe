"""The base URL of the API: what is decided by it is decided by its parsed parts."""

import pytest

from crusoe_provider.api.endpoint import Endpoint, EndpointError, addresses_of


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("HTTPS://API.Example/v1/", "https://api.example/v1"),
        (" hTTps://api.example:443 ", "https://api.example"),
        ("https://api.example:8443//", "https://api.example:8443"),
        ("HTTP://LOCALHOST:80/V1", "http://localhost/V1"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
        ("https://api.example:0443/v1", "https://api.example/v1"),
    ],
)
def test_every_spelling_has_one_form(text: str, url: str) -> None:
    """Scheme and host have no capitals, and a path keeps its own."""
    assert str(Endpoint.parse(text)) == Endpoint.parse(text).url == url


@pytest.mark.parametrize(
    ("host", "addresses", "loopback"),
    [
        ("127.0.0.1", [], True),
        ("127.9.9.9", [], True),
        ("[::1]", [], True),
        ("localhost", ["127.0.0.1", "::1"], True),
        ("api.LOCALHOST", ["127.0.0.1"], True),
        ("api.localhost.", ["127.0.0.1"], True),
        ("api.localhost", [], False),
        ("api.localhost", ["127.0.0.1", "192.0.2.1"], False),
        ("localhost", ["192.0.2.1"], False),
        ("localhost.example", ["127.0.0.1"], False),
        ("notlocalhost", ["127.0.0.1"], False),
        ("192.0.2.1", [], False),
    ],
)
def test_loopback_is_what_is_this_machine_for_certain(
    host: str, addresses: list[str], loopback: bool
) -> None:
    """A name under localhost is, where all that it resolves to is."""
    assert Endpoint.parse(f"https://{host}", resolve=lambda _: addresses).is_loopback is loopback
    if not loopback:
        with pytest.raises(EndpointError, match="must be https"):
            Endpoint.parse(f"HTTP://{host}", resolve=lambda _: addresses)


def test_names_elsewhere_are_not_looked_up() -> None:
    """Checking a configuration sends nothing."""

    def resolve(host: str) -> list[str]:
        raise AssertionError(host)

    assert not Endpoint.parse("https://api.example", resolve=resolve).is_loopback


@pytest.mark.parametrize(
    "text",
    [
        *("http://[fe80::1%25lo]", "ht\ntps://api.example", "\x00https://api.example", "//x", ""),
        *("https://api.example?q", "https://api.example#f", "https://me@api.example"),
        *("https://me:word@api.example", "https://api.example/a b", "ftp://api.example"),
        *("https://192.0.2", "https://a!b.example", "https://-api.example", "https://a..example"),
    ],
)
def test_what_is_no_endpoint(text: str) -> None:
    """Parsers forgive more than an endpoint may be forgiven."""
    with pytest.raises(EndpointError):
        Endpoint.parse(text)


def test_this_machines_resolver_is_asked_of_localhost() -> None:
    """And has no answer that could end in an exception."""
    assert Endpoint.parse("http://localhost:1").is_loopback
    assert addresses_of("a" * 64 + ".localhost") == []
