"""Which proxy the environment names, and what can be wrong with proxies and TLS settings."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crusoe_provider.api.endpoint import Endpoint
from crusoe_provider.api.proxies import UnusableVariableError, proxy_for
from crusoe_provider.api.settings import ENDPOINT
from crusoe_provider.provider.configuration import resolve
from crusoe_provider.provider.problems import ConfigurationError
from crusoe_provider.provider.provider_block import ProviderBlock

CRUSOE = Endpoint.parse(ENDPOINT)
PASSWORD = "pass-of-the-proxy"
VARIABLES = {
    "CRUSOE_ACCESS_KEY_ID": "CKIDTEST",
    "CRUSOE_SECRET_KEY": "c2VjcmV0LW9mLXRoZS10ZXN0cw",
}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"HTTP_PROXY": "http://proxy"}, None),
        ({"HTTPS_PROXY": "proxy:3128"}, ("http", "proxy", 3128)),
        ({"HTTPS_PROXY": "HTTPS://Proxy"}, ("https", "proxy", 443)),
        ({"ALL_PROXY": "socks5://[::1]"}, ("socks5", "::1", 1080)),
        ({"all_proxy": "socks5h://proxy:9"}, ("socks5h", "proxy", 9)),
        ({"ALL_PROXY": "http://all", "HTTPS_PROXY": "http://https"}, ("http", "https", 80)),
        ({"https_proxy": "http://small", "HTTPS_PROXY": "http://big"}, ("http", "small", 80)),
        ({"HTTPS_PROXY": " "}, None),
    ],
)
def test_the_proxy_is_the_one_that_the_environment_names(
    environ: dict[str, str], expected: tuple[str, str, int] | None
) -> None:
    found = proxy_for(CRUSOE, environ)

    assert (found and (found.scheme, found.host, found.port)) == expected


def test_a_proxys_password_is_decoded_and_in_no_repr() -> None:
    found = proxy_for(CRUSOE, {"HTTPS_PROXY": f"http://me%40x:{PASSWORD}@proxy"})

    assert found is not None
    assert found.user == ("me@x", PASSWORD)
    assert PASSWORD not in repr(found)


@pytest.mark.parametrize(
    ("user", "decoded"),
    [("me:", ("me", "")), ("me", ("me", "")), (":word", ("", "word")), (":", None)],
)
def test_a_name_or_a_password_may_be_missing(user: str, decoded: tuple[str, str] | None) -> None:
    """The other one is sent."""
    found = proxy_for(CRUSOE, {"HTTPS_PROXY": f"http://{user}@proxy"})

    assert found is not None
    assert found.user == decoded


@pytest.mark.parametrize(
    ("environ", "direct"),
    [
        ({"no_proxy": "crusoe.ai"}, True),
        ({"no_proxy": "crusoe.ai", "NO_PROXY": "other.example"}, True),
        ({"no_proxy": "other.example", "NO_PROXY": "crusoe.ai"}, False),
        ({"NO_PROXY": "other.example crusoe.ai"}, True),
        ({"NO_PROXY": "other.example,crusoe.ai"}, True),
    ],
)
def test_the_small_name_goes_before_the_big_one(environ: dict[str, str], direct: bool) -> None:
    """As with the proxies themselves; commas and blanks divide entries."""
    assert (proxy_for(CRUSOE, {"HTTPS_PROXY": "http://proxy"} | environ) is None) is direct


@pytest.mark.parametrize(
    ("endpoint", "no_proxy", "direct"),
    [
        ("https://api.cloud.crusoe.ai", "*", True),
        ("https://api.cloud.crusoe.ai.", "crusoe.ai", True),
        ("https://api.cloud.crusoe.ai", "crusoe.ai.", True),
        ("https://api.cloud.crusoe.ai", ".", False),
        ("https://api.cloud.crusoe.ai", "*.", False),
        ("https://192.0.2.7", "192.0.2.1/24", True),
        ("https://192.0.2.7", "crusoe.ai", False),
        ("https://192.0.2.7", "192.0.2", False),
        ("https://api.cloud.crusoe.ai", "a.example, crusoe.ai", True),
        ("https://api.cloud.crusoe.ai", "API.cloud.crusoe.ai:443", True),
        ("https://api.cloud.crusoe.ai", "api.cloud.crusoe.ai:8443", False),
        ("https://api.cloud.crusoe.ai", ".crusoe.ai", True),
        ("https://api.cloud.crusoe.ai", "*.crusoe.ai", True),
        ("https://api.cloud.crusoe.ai", "https://api.cloud.crusoe.ai", True),
        ("https://crusoe.ai", ".crusoe.ai", False),
        ("https://api.notcrusoe.ai", "crusoe.ai", False),
        ("https://192.0.2.7", "192.0.2.0/24", True),
        ("https://192.0.2.7", "192.0.2.7", True),
        ("https://192.0.2.7", "192.0.3.0/24,2001:db8::/32", False),
        ("https://[2001:db8::7]", "2001:db8::/32", True),
        ("https://[2001:db8::7]:8443", "[2001:db8::7]:8443", True),
        ("https://api.example", "192.0.2.0/24,::1,[::1,:,://,..,/,\x00,!!,a:b:c", False),
    ],
)
def test_no_proxy_has_the_forms_that_go_programs_know(
    endpoint: str, no_proxy: str, direct: bool
) -> None:
    """What it cannot be matches nothing."""
    environ = {"HTTPS_PROXY": "http://proxy", "NO_PROXY": no_proxy}

    assert (proxy_for(Endpoint.parse(endpoint), environ) is None) is direct


@given(st.text(), st.text())
def test_any_variables_give_a_proxy_none_or_their_name(proxy: str, no_proxy: str) -> None:
    """Never another exception."""
    with contextlib.suppress(UnusableVariableError):
        proxy_for(CRUSOE, {"HTTPS_PROXY": proxy, "NO_PROXY": no_proxy})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTPS_PROXY", f"http://me:{PASSWORD}@proxy:port"),
        ("HTTPS_PROXY", f"http://me:{PASSWORD}@"),
        ("https_proxy", f"gopher://me:{PASSWORD}@proxy"),
        ("ALL_PROXY", f"socks4://me:{PASSWORD}@proxy"),
        ("ALL_PROXY", f"http://me:{PASSWORD}@pro xy"),
        ("ALL_PROXY", f"http://m e:{PASSWORD}@proxy"),
        ("ALL_PROXY", f"http://m\x1be:{PASSWORD}@proxy"),
        ("HTTPS_PROXY", "http://[::1"),
        ("SSL_CERT_FILE", "/no/such/file"),
        ("SSL_CERT_FILE", "/"),
        ("SSL_CERT_FILE", __file__),
        ("SSL_CERT_DIR", "/no/such/folder:/none"),
        ("SSLKEYLOGFILE", "/no/such/folder/keys"),
    ],
)
def test_what_cannot_be_used_is_a_problem_that_names_the_variable(
    variable: str, value: str
) -> None:
    """And no defect of the provider; without the password."""
    with pytest.raises(ConfigurationError) as error:
        resolve(ProviderBlock(), environ=VARIABLES | {variable: value}, home=None)

    (problem,) = error.value.problems
    assert problem.summary == "Unusable proxy or TLS setting"
    assert variable in problem.detail
    assert "None" not in problem.detail
    assert PASSWORD not in str(error.value)


def test_a_scheme_that_is_no_proxys_is_told_those_that_are() -> None:
    """Whoever has mistyped it can correct it."""
    told = "HTTPS_PROXY must begin with one of http://, https://, socks5://, socks5h://"

    with pytest.raises(UnusableVariableError, match=told):
        proxy_for(CRUSOE, {"HTTPS_PROXY": "socks4://proxy"})


def test_a_key_log_that_can_be_written_is_no_problem(tmp_path: Path) -> None:
    environ = VARIABLES | {"SSLKEYLOGFILE": str(tmp_path / "keys")}

    assert resolve(ProviderBlock(), environ=environ, home=None).authorities is not None
