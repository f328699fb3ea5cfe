"""Why there is no answer, and what helps against it."""

import httpcore
import httpx
import pytest

from crusoe_provider.api import errors, responses
from crusoe_provider.provider.diagnostics import diagnose

# Most of the time that a request may take; that of a connection is bounded apart from it.
LATE = (
    *(httpx.ReadTimeout("late"), httpx.WriteTimeout("late")),
    *(httpcore.ReadTimeout("late"), httpcore.WriteTimeout("late")),
)
NOT_CONNECTED = (
    *(httpx.ConnectTimeout("late"), httpx.PoolTimeout("late")),
    *(httpcore.ConnectTimeout("late"), httpcore.PoolTimeout("late")),
)
BROKEN = (
    *(httpx.ConnectError("refused"), httpcore.ConnectError("refused")),
    *(httpx.ProxyError("no"), httpcore.ProxyError("no")),
    *(httpx.ReadError("cut"), httpcore.RemoteProtocolError("cut")),
)


def translated(error: Exception) -> errors.ConnectionFailed:
    """Return what becomes of an error of the libraries below."""
    with pytest.raises(errors.ConnectionFailed) as caught, responses.translated("GET", "/users"):
        raise error
    return caught.value


def advice(error: Exception) -> str:
    """Return what the user is told to do."""
    found = diagnose(error, credentials="the environment")
    assert found is not None
    assert found.summary == "Crusoe API not reachable"
    return found.detail.rpartition("\n\n")[2]


@pytest.mark.parametrize("cause", LATE, ids=repr)
def test_more_time_is_advised_where_the_request_took_longer_than_its_own(cause: Exception) -> None:
    """It may have been carried out."""
    error = translated(cause)

    assert isinstance(error, errors.TimedOut)
    assert error.may_have_happened
    assert "it took longer than the request timeout" in str(error)
    assert "a longer request_timeout" in advice(error)


@pytest.mark.parametrize("cause", [*NOT_CONNECTED, *BROKEN], ids=repr)
def test_more_time_is_not_advised_where_it_would_not_help(cause: Exception) -> None:
    """A connection gets ten seconds, whatever a request may take."""
    error = translated(cause)

    assert type(error) is errors.ConnectionFailed
    assert "request_timeout" not in advice(error)
    assert "api_endpoint" in advice(error)


@pytest.mark.parametrize("cause", NOT_CONNECTED, ids=repr)
def test_a_request_without_a_connection_has_not_happened(cause: Exception) -> None:
    """Nothing was sent."""
    error = translated(cause)

    assert not error.may_have_happened
    assert "no connection could be made in time" in str(error)
