"""Secrets that no attribute carries are kept out of the log as well."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tf.function import CallContext
from tf.utils import Diagnostics

from crusoe_provider.provider.diagnostics import SECRET_VARIABLE
from crusoe_provider.provider.function_decrypt import DecryptFunction
from crusoe_provider.provider.provider import CrusoeProvider
from crusoe_provider.provider.resource_storage_token import StorageTokenResource
from crusoe_provider.providerserver.resource import CreateContext
from crusoe_provider.tokens.encryption import Recipients, decrypt
from support.keys import AGE, AGE_IDENTITY, PLAINTEXT
from support.simulator_fixtures import Crusoe
from support.token_doubles import Terraform


@pytest.fixture
def hidden() -> list[str]:
    """What was registered."""
    return []


@pytest.fixture
def provider(crusoe: Crusoe, hidden: list[str]) -> Iterator[CrusoeProvider]:
    """A configured provider."""
    provider = CrusoeProvider(
        stop=threading.Event(),
        environ=crusoe.variables() | {SECRET_VARIABLE: "the-secret-of-an-import"},
        home=None,
        terraform=Terraform(planning=False),
    )
    provider.hide_with(hidden.append)
    diagnostics = Diagnostics()
    provider.configure_provider(diagnostics, {})
    assert not diagnostics.has_errors()
    yield provider
    provider._sessions.get().account._client.close()


def test_a_secret_that_is_encrypted_is_hidden_before_it_is_saved(
    provider: CrusoeProvider, crusoe: Crusoe, hidden: list[str]
) -> None:
    """Whatever a later line says. No state that is saved on the way holds it in the clear."""
    saved: list[dict[str, Any]] = []

    def save(state: dict[str, Any]) -> None:
        (key,) = crusoe.simulator.cloud.keys()
        assert key.secret_key in hidden
        assert key.secret_key not in state.values()
        saved.append(state)

    context = CreateContext(Diagnostics(), "crusoe_storage_token", {}, {}, save)
    resource = provider.new_resource(StorageTokenResource)
    resource.create(context, {"alias": "t", "encrypt_to": [AGE]})

    (key,) = crusoe.simulator.cloud.keys()
    assert decrypt(saved[-1]["encrypted_secret_key"], AGE_IDENTITY) == key.secret_key


def test_a_token_whose_secret_cannot_be_encrypted_is_in_the_state_all_the_same(
    provider: CrusoeProvider, crusoe: Crusoe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the error it is tainted, so the next apply revokes it."""
    saved: list[dict[str, Any]] = []

    def fail(*_: object) -> str:
        raise MemoryError

    monkeypatch.setattr(Recipients, "encrypt", fail)
    context = CreateContext(Diagnostics(), "crusoe_storage_token", {}, {}, saved.append)
    with pytest.raises(MemoryError):
        provider.new_resource(StorageTokenResource).create(
            context, {"alias": "t", "encrypt_to": [AGE]}
        )

    (key,) = crusoe.simulator.cloud.keys()
    assert saved[-1]["access_key_id"] == key.access_key_id
    assert key.secret_key not in saved[-1].values()


def test_what_is_decrypted_is_hidden_and_so_is_the_identity(
    provider: CrusoeProvider, hidden: list[str]
) -> None:
    """Arguments and results of functions have no schema that says what is sensitive."""
    context = CallContext(Diagnostics(), "decrypt")

    result = DecryptFunction(provider).call(
        context, [Recipients([AGE]).encrypt(PLAINTEXT), AGE_IDENTITY]
    )

    assert result == PLAINTEXT
    assert {PLAINTEXT, AGE_IDENTITY} <= set(hidden)


@pytest.mark.usefixtures("provider")
def test_the_secret_for_an_import_is_hidden(hidden: list[str]) -> None:
    """From the moment that the provider is configured."""
    assert "the-secret-of-an-import" in hidden
