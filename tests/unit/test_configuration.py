"""Where settings come from, and what is wrong with them."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crusoe_provider.api.settings import ENDPOINT, Settings
from crusoe_provider.provider.configuration import resolve, settle
from crusoe_provider.provider.problems import ConfigurationError, Problem
from crusoe_provider.provider.provider_block import ProviderBlock, block_problems
from crusoe_provider.provider.validators import organization_id_problem

SECRET = "c2VjcmV0LW9mLXRoZS10ZXN0cw"
PAIR: dict[str, Any] = {"access_key_id": "BLOCK", "secret_key": SECRET}
VARIABLES = {"CRUSOE_ACCESS_KEY_ID": "ENVIRONMENT", "CRUSOE_SECRET_KEY": SECRET}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".crusoe").mkdir()
    return tmp_path


def write(home: Path, text: str) -> None:
    (home / ".crusoe" / "config").write_text(text)


def profile(name: str, **settings: str) -> str:
    pair = {"access_key_id": name.upper(), "secret_key": SECRET} | settings
    return f"[{name}]\n" + "".join(f'{key} = "{value}"\n' for key, value in pair.items())


def settings(
    environ: Mapping[str, str] = VARIABLES, home: Path | None = None, **block: Any
) -> Settings:
    return resolve(ProviderBlock(**block), environ=environ, home=home)


def problems(
    environ: Mapping[str, str] = VARIABLES, home: Path | None = None, **block: Any
) -> tuple[Problem, ...]:
    with pytest.raises(ConfigurationError) as error:
        settings(environ, home, **block)
    assert SECRET not in str(error.value)
    return error.value.problems


# -- Precedence ------------------------------------------------------------------------------------


def test_credentials_of_the_block_come_first(home: Path) -> None:
    write(home, profile("default"))

    assert settings(VARIABLES, home, **PAIR).access_key_id == "BLOCK"


def test_then_those_of_the_environment(home: Path) -> None:
    write(home, profile("default"))

    found = settings(VARIABLES, home)

    assert found.access_key_id == "ENVIRONMENT"
    assert "environment" in found.credentials_source


def test_then_those_of_the_profile(home: Path) -> None:
    write(home, 'profile = "work"\n' + profile("work") + profile("default") + profile("other"))

    assert settings({}, home).access_key_id == "WORK"
    assert settings({"CRUSOE_PROFILE": "other"}, home).access_key_id == "OTHER"


def test_a_profile_in_the_block_beats_credentials_in_the_environment(home: Path) -> None:
    """Nobody wants to act on the wrong account because a variable was left over."""
    write(home, profile("work", api_endpoint="https://work.example/v1") + profile("default"))
    environ = VARIABLES | {"CRUSOE_API_ENDPOINT": "https://environment.example"}

    found = settings(environ, home, profile="work")

    assert (found.access_key_id, found.endpoint.url) == ("WORK", "https://work.example/v1")


def test_a_pair_is_never_mixed_from_two_sources(home: Path) -> None:
    """Half a pair is an error, wherever it stands, and names the missing half."""
    write(home, profile("default"))

    (environment,) = problems({"CRUSOE_ACCESS_KEY_ID": "X"}, home)
    (block,) = problems(VARIABLES, home, secret_key=SECRET)
    write(home, '[default]\naccess_key_id = "X"\n')
    (file,) = problems({}, home)

    assert {p.summary for p in (environment, block, file)} == {"Incomplete credentials"}
    assert "Set CRUSOE_SECRET_KEY there too" in environment.detail
    assert block.attribute == "secret_key"
    assert "Set secret_key there too" in file.detail


halves = st.sampled_from(["", "id", "secret", "both"])


@given(block=st.booleans(), variables=halves, file=halves, named=st.booleans())
def test_credentials_have_the_documented_order(
    tmp_path_factory: pytest.TempPathFactory, block: bool, variables: str, file: str, named: bool
) -> None:
    """Block; environment, unless the block names a profile; profile. Half a pair ends the search.

    The model is the order itself: the first source that says anything settles it.
    """
    home = tmp_path_factory.mktemp("home")
    (home / ".crusoe").mkdir()
    names = {
        "": (),
        "id": ("access_key_id",),
        "secret": ("secret_key",),
        "both": ("access_key_id", "secret_key"),
    }
    content = {"access_key_id": "PROFILE", "secret_key": SECRET}
    write(home, "[p]\n" + "".join(f'{key} = "{content[key]}"\n' for key in names[file]))
    environ = {
        f"CRUSOE_{key.upper()}": VARIABLES[f"CRUSOE_{key.upper()}"] for key in names[variables]
    }
    environ |= {} if named else {"CRUSOE_PROFILE": "p"}
    arguments = (PAIR if block else {}) | ({"profile": "p"} if named else {})
    sources = [
        ("BLOCK", "both" if block else ""),
        ("ENVIRONMENT", "" if named else variables),
        ("PROFILE", file),
    ]
    winner, says = next(((who, what) for who, what in sources if what), ("", ""))

    if says == "both":
        assert settings(environ, home, **arguments).access_key_id == winner
    else:
        (problem,) = problems(environ, home, **arguments)
        assert (problem.summary == "Incomplete credentials") is bool(says)


endpoints = st.sampled_from([None, "https://a.example", "https://b.example", "https://c.example"])


@given(block=endpoints, variable=endpoints, file=endpoints, named=st.booleans())
def test_endpoints_have_the_documented_order(
    tmp_path_factory: pytest.TempPathFactory,
    block: str | None,
    variable: str | None,
    file: str | None,
    named: bool,
) -> None:
    """Block, then the profile if the block names it, environment, profile, default."""
    home = tmp_path_factory.mktemp("home")
    (home / ".crusoe").mkdir()
    write(home, profile("p", **({"api_endpoint": file} if file else {})))
    environ = VARIABLES | ({"CRUSOE_API_ENDPOINT": variable} if variable else {})
    if not named:
        environ["CRUSOE_PROFILE"] = "p"
    order = [block, file if named else None, variable, file, ENDPOINT]

    if block is not None:
        environ["CRUSOE_ALLOW_ENDPOINT"] = block

    found = settings(environ, home, api_endpoint=block, profile="p" if named else None)

    assert found.endpoint.url == next(endpoint for endpoint in order if endpoint)


def test_the_organization_comes_from_the_block_or_the_environment() -> None:
    environ = VARIABLES | {"CRUSOE_ORGANIZATION_ID": "environment"}

    assert settings(environ).organization_id == "environment"
    assert settings(environ, organization_id="block").organization_id == "block"
    assert settings().organization_id is None


def test_blanks_around_an_organization_are_no_part_of_it() -> None:
    """They would end up in the path of every request."""
    environ = VARIABLES | {"CRUSOE_ORGANIZATION_ID": " environment\n"}

    assert settings(environ).organization_id == "environment"
    assert settings(environ, organization_id=" block ").organization_id == "block"


def test_empty_variables_count_as_unset(home: Path) -> None:
    write(home, profile("default"))
    environ = dict.fromkeys([*VARIABLES, "CRUSOE_PROFILE", "CRUSOE_API_ENDPOINT"], " ")

    assert settings(environ, home).access_key_id == "DEFAULT"


# -- Whose credentials go where -------------------------------------------------------------------

ELSEWHERE = "https://relay.example/v1"


def test_a_block_does_not_send_the_environments_credentials_elsewhere() -> None:
    """A signature covers neither host nor body: a stranger could create keys with it."""
    (problem,) = problems(api_endpoint=ELSEWHERE)

    assert (problem.summary, problem.attribute) == (
        "Credentials of another endpoint",
        "api_endpoint",
    )
    assert "CRUSOE_ALLOW_ENDPOINT=https://relay.example" in problem.detail
    assert "CRUSOE_API_ENDPOINT" in problem.detail


@pytest.mark.parametrize("named", [True, False])
def test_nor_those_of_a_profile(home: Path, named: bool) -> None:
    """Whoever names it: a module can know the name of a profile, too."""
    write(home, profile("default", api_endpoint="https://own.example"))
    block = {"profile": "default"} if named else {}

    (problem,) = problems({}, home, api_endpoint=ELSEWHERE, **block)
    (official,) = problems({}, home, api_endpoint=ENDPOINT, **block)

    assert problem.summary == official.summary == "Credentials of another endpoint"
    assert "add api_endpoint to that profile" in problem.detail


@pytest.mark.parametrize(
    "endpoint", ["https://own.example", "HTTPS://OWN.EXAMPLE:443/v2", "https://own.example/"]
)
def test_credentials_go_to_the_endpoint_of_their_source(home: Path, endpoint: str) -> None:
    """In every spelling, on every path."""
    write(home, profile("p", api_endpoint="https://own.example/v1"))
    environ = {"CRUSOE_API_ENDPOINT": "https://own.example/v1"}

    assert settings({}, home, api_endpoint=endpoint, profile="p").access_key_id == "P"
    assert settings(VARIABLES | environ, api_endpoint=endpoint).access_key_id == "ENVIRONMENT"
    environ["CRUSOE_PROFILE"] = "p"
    assert settings(environ, home, api_endpoint=endpoint).access_key_id == "P"


@pytest.mark.parametrize("endpoint", [ENDPOINT, "https://api.crusoecloud.com/v1alpha5"])
def test_without_an_endpoint_they_belong_to_crusoe(endpoint: str) -> None:
    """By the names of the past, too."""
    assert settings(api_endpoint=endpoint).endpoint.url == ENDPOINT


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:8080", "https://localhost/v1"])
def test_this_machine_may_have_them(endpoint: str) -> None:
    """A simulator, or a tunnel."""
    assert settings(api_endpoint=endpoint).access_key_id == "ENVIRONMENT"


def test_a_block_may_bring_its_own() -> None:
    """They are the module's, not the operator's."""
    assert settings(api_endpoint=ELSEWHERE, **PAIR).endpoint.url == ELSEWHERE


@pytest.mark.parametrize(
    ("allowed", "fine"),
    [
        (ELSEWHERE, True),
        ("https://a.example, HTTPS://Relay.Example:443", True),
        ("https://relay.example.evil.example", False),
        ("relay.example", False),
        ("*", False),
    ],
)
def test_the_operator_may_allow_an_endpoint(allowed: str, fine: bool) -> None:
    """In the environment, which no module reaches."""
    environ = VARIABLES | {"CRUSOE_ALLOW_ENDPOINT": allowed}

    if fine:
        assert settings(environ, api_endpoint=ELSEWHERE).access_key_id == "ENVIRONMENT"
    else:
        assert problems(environ, api_endpoint=ELSEWHERE)


# -- Values ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "legacy", ["https://api.crusoecloud.com/v1alpha5", "https://api.crusoecloud.com/v1/"]
)
def test_endpoints_of_the_past_are_mapped(legacy: str) -> None:
    assert settings(api_endpoint=legacy, **PAIR).endpoint.url == ENDPOINT


@pytest.mark.parametrize(
    "endpoint",
    ["http://127.0.0.1:8080/v1", "http://localhost:1", "http://[::1]:1/v1", "https://any.example"],
)
def test_plain_http_is_for_this_machine_only(endpoint: str) -> None:
    assert settings(api_endpoint=endpoint, **PAIR).endpoint.url == endpoint
    assert block_problems(ProviderBlock(api_endpoint=endpoint)) == []


@pytest.mark.parametrize(
    "endpoint",
    [
        *("http://api.example/v1", "ftp://api.example", "api.example", "https://", "https://[x"),
        *("https://u:p@api.example", "https://api.example?x=1", "https://api.example#f"),
        *("https://api example", "http://127.0.0.1.example", "https://api.example:99999"),
        *("https://api.example/v1?", "https://api.example/v1#", "https://@api.example"),
        *("https://1.2.3.999", "https://a..example", "https://\u2603.example", "https://a|b"),
        *("https://-a.example", "https://.", "https://a\\b", f"https://{'a' * 64}.example"),
    ],
)
def test_endpoints_that_cannot_be_used_are_problems(endpoint: str) -> None:
    """In the block they are blamed on the attribute; elsewhere their origin is named."""
    (block,) = block_problems(ProviderBlock(api_endpoint=endpoint))
    (environment,) = problems(VARIABLES | {"CRUSOE_API_ENDPOINT": endpoint})

    assert block.attribute == "api_endpoint"
    assert (environment.attribute, environment.summary) == (None, "Invalid API endpoint")
    assert "CRUSOE_API_ENDPOINT" in environment.detail


@pytest.mark.parametrize(
    ("block", "attribute"),
    [
        ({"request_timeout": "0.5s"}, "request_timeout"),
        ({"request_timeout": "11m"}, "request_timeout"),
        ({"request_timeout": "fast"}, "request_timeout"),
        ({"max_retries": -1}, "max_retries"),
        ({"max_retries": 11}, "max_retries"),
        ({"max_retries": 1.5}, "max_retries"),
        ({"organization_id": "a/b"}, "organization_id"),
        ({"organization_id": ""}, "organization_id"),
        ({"organization_id": ".."}, "organization_id"),
        ({"profile": " "}, "profile"),
        ({**PAIR, "secret_key": "not base64!"}, "secret_key"),
        ({**PAIR, "secret_key": ""}, "secret_key"),
        ({**PAIR, "access_key_id": ""}, "access_key_id"),
    ],
)
def test_values_that_cannot_be_are_blamed_on_their_attribute(
    block: dict[str, Any], attribute: str
) -> None:
    assert [p.attribute for p in block_problems(ProviderBlock(**block))] == [attribute]


@pytest.mark.parametrize("access_key_id", ["a\nb", "a b", "a\x01b", "\u043a\u043b\u044e\u0447"])
def test_an_id_that_fits_no_header_is_a_problem(home: Path, access_key_id: str) -> None:
    """HTTP libraries quote a header that they refuse, signature and all, in errors and logs."""
    # JSON's strings are TOML's, too.
    write(home, profile("default").replace('"DEFAULT"', json.dumps(access_key_id)))

    (block,) = block_problems(ProviderBlock(**PAIR | {"access_key_id": access_key_id}))
    (environment,) = problems(VARIABLES | {"CRUSOE_ACCESS_KEY_ID": access_key_id})
    (file,) = problems({}, home)

    assert {p.summary for p in (block, environment, file)} == {"Invalid access key ID"}
    assert block.attribute == "access_key_id"
    assert (environment.attribute, file.attribute) == (None, None)
    assert "environment" in environment.detail
    assert "default" in file.detail
    assert all(access_key_id not in p.detail for p in (block, environment, file))


def test_time_limits_have_defaults() -> None:
    assert (settings().request_timeout, settings().max_retries) == (timedelta(seconds=30), 3)
    assert settings(request_timeout="1m", max_retries=0).request_timeout == timedelta(minutes=1)
    assert settings(max_retries=0).max_retries == 0


def test_everything_that_is_wrong_is_told_at_once() -> None:
    found = problems({}, None, api_endpoint="x", request_timeout="y", organization_id=" ")

    assert [p.attribute for p in found if p.attribute] == [
        "organization_id",
        "api_endpoint",
        "request_timeout",
    ]
    assert [p.summary for p in found if not p.attribute] == ["Missing Crusoe credentials"]


def test_secrets_are_in_no_repr() -> None:
    """It would end up in a log one day."""
    assert SECRET not in repr(ProviderBlock(**PAIR))
    assert SECRET not in repr(settings(**PAIR))


# -- The file --------------------------------------------------------------------------------------


def test_missing_credentials_name_every_source_that_was_tried(home: Path) -> None:
    (nothing,) = problems({}, home)
    write(home, profile("other"))
    (no_default,) = problems({}, home)
    (no_home,) = problems({}, None)

    for problem in (nothing, no_default, no_home):
        for source in ("provider block", "CRUSOE_ACCESS_KEY_ID", ".crusoe/config"):
            assert source in problem.detail
    assert "there is no such file" in nothing.detail
    assert "other" in no_default.detail


@pytest.mark.parametrize("how", ["block", "environment", "file"])
def test_an_unknown_profile_is_an_error_with_the_known_ones(home: Path, how: str) -> None:
    """Even where the environment has credentials: the profile was asked for by name."""
    write(home, ('profile = "typo"\n' if how == "file" else "") + profile("work"))
    environ = VARIABLES | ({"CRUSOE_PROFILE": "typo"} if how == "environment" else {})

    (problem,) = problems(environ, home, profile="typo" if how == "block" else None)

    assert problem.summary == "Unknown profile"
    assert "work" in problem.detail
    assert problem.attribute == ("profile" if how == "block" else None)


def test_a_named_profile_without_credentials_is_an_error(home: Path) -> None:
    write(home, '[work]\napi_endpoint = "https://work.example"\n')

    (problem,) = problems(VARIABLES, home, profile="work")

    assert (problem.summary, problem.attribute) == ("Profile without credentials", "profile")


@pytest.mark.parametrize(
    "text",
    [
        f"[default]\nsecret_key = {SECRET}\n",
        f'[default]\nsecret_key = "{SECRET}\n',
        "[default]\n[default]\n",
        "[default]\nsecret_key = 5\n",
        "profile = 5\n",
        "\x00",
    ],
)
def test_a_broken_file_is_an_error_that_quotes_nothing(home: Path, text: str) -> None:
    """Where it is broken, and no word of what stands there."""
    write(home, text)

    (problem,) = problems(VARIABLES, home)

    assert problem.summary == "Broken configuration file"
    assert str(home / ".crusoe" / "config") in problem.detail


def test_a_file_that_is_no_text_is_an_error(home: Path) -> None:
    (home / ".crusoe" / "config").write_bytes(b"\xff\xfe\x00")

    (problem,) = problems(VARIABLES, home)

    assert "UTF-8" in problem.detail


def test_a_file_that_cannot_be_read_is_an_error(home: Path) -> None:
    (home / ".crusoe" / "config").mkdir()

    (problem,) = problems(VARIABLES, home)

    assert "cannot be read" in problem.detail


@given(text=st.text(max_size=80))
def test_any_file_gives_settings_or_problems(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    """Never another exception."""
    home = tmp_path_factory.mktemp("home")
    (home / ".crusoe").mkdir()
    (home / ".crusoe" / "config").write_text(text, encoding="utf-8", errors="surrogatepass")

    try:
        assert settings(VARIABLES, home).access_key_id == "ENVIRONMENT"
    except ConfigurationError as error:
        found = error.problems
        assert found


# -- What is to be said besides --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "warned"),
    [(0o600, False), (0o400, False), (0o644, True), (0o640, True), (0o604, True)],
)
def test_a_file_with_a_secret_that_others_may_read_gets_a_warning(
    home: Path, mode: int, warned: bool
) -> None:
    """As ssh gives one; whether or not its credentials are in use."""
    write(home, profile("default"))
    (home / ".crusoe" / "config").chmod(mode)

    warnings = settle(ProviderBlock(), environ=VARIABLES, home=home).warnings

    assert [w.summary for w in warnings] == (
        ["Configuration file can be read by others"] if warned else []
    )
    assert all(f"chmod 600 {home}/.crusoe/config" in w.detail for w in warnings)


def test_a_file_without_a_secret_may_be_read(home: Path) -> None:
    write(home, '[default]\napi_endpoint = "https://own.example"\n')
    (home / ".crusoe" / "config").chmod(0o644)

    assert settle(ProviderBlock(), environ=VARIABLES, home=home).warnings == ()


def test_every_secret_that_was_read_is_told_to_those_who_keep_logs_clean(home: Path) -> None:
    """In use or not: a log has no business with any of them."""
    write(home, profile("a", secret_key="QUFBQQ") + profile("b", secret_key="QkJCQg"))
    environ = VARIABLES | {"HTTPS_PROXY": "http://me:pass@proxy", "CRUSOE_SECRET_KEY": "RU5W"}
    block = ProviderBlock(access_key_id="BLOCK", secret_key="QkxPQ0s")

    found = settle(block, environ=environ, home=home)

    assert set(found.secrets) == {"QUFBQQ", "QkJCQg", "RU5W", "QkxPQ0s", "pass"}
    assert all(secret not in repr(found) for secret in found.secrets)


@pytest.mark.parametrize("value", ["a/b", "..", "a b", "a\x01b", "\u202e", "a" * 129, "a%2Fb"])
def test_an_organization_is_checked_wherever_it_comes_from(value: str) -> None:
    """It becomes part of a path."""
    (variable,) = problems(VARIABLES | {"CRUSOE_ORGANIZATION_ID": value})
    (block,) = problems(organization_id=value)

    assert variable.summary == block.summary == "Invalid organization ID"
    assert "CRUSOE_ORGANIZATION_ID" in variable.detail
    assert (variable.attribute, block.attribute) == (None, "organization_id")
    assert organization_id_problem(value)


@pytest.mark.parametrize(
    "value", ["ab4a6b00-aa5f-408e-a9fb-ac6de5eb45ab", "acme", "...", "a" * 128]
)
def test_an_organization_may_be_anything_that_fits_a_path(value: str) -> None:
    """Its form is not promised."""
    assert organization_id_problem(value) is None
