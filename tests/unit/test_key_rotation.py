"""The hands of a rotation: what is saved on the way."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from tf.types import Unknown
from tf.utils import Diagnostics

from crusoe_provider.provider.key_rotation import KeyRotation
from crusoe_provider.providerserver.resource import UpdateContext
from crusoe_provider.tokens.encryption import Recipients
from crusoe_provider.tokens.errors import WrongRecipient
from crusoe_provider.tokens.rotating_token import RotatingToken
from crusoe_provider.tokens.session import Session
from support.keys import AGE
from support.token_doubles import ME, ORGANIZATION, Account, Clock, Stop, Terraform, WaitingCalls
from support.token_doubles import key as key_named

PRIOR = RotatingToken(
    access_key_id="b", secret_key="old", organization_id=ORGANIZATION, user_id=ME.id
)


@pytest.fixture
def account() -> Account:
    """An account with the key of the state."""
    return Account([key_named("b")])


@pytest.fixture
def session(account: Account) -> Session:
    """A session that applies."""
    clock = Clock()
    stop = Stop(clock)
    return Session(
        account=account,  # type: ignore[arg-type]  # a double
        credentials="a test",
        key_limit=2,
        now=lambda: datetime.now(UTC),
        stop=threading.Event(),
        calls=WaitingCalls(clock, stop),
        terraform=Terraform(planning=False),
    )


def rotation(
    session: Session, saved: list[dict[str, Any]], *recipients: str, home: str | None = None
) -> KeyRotation:
    """Return a rotation that takes up recipients; with a home its organization is empty."""
    private = {} if home is None else {"home": home}
    context = UpdateContext(Diagnostics(), "crusoe_storage_rotating_token", private, saved.append)
    prior = PRIOR if home is None else PRIOR.but(organization_id="")
    planned = prior.but(
        encrypt_to=list(recipients),
        access_key_id=Unknown,
        secret_key=None,
        encrypted_secret_key=Unknown,
        generation=2,
    ).with_previous(prior.current)
    return KeyRotation(session, context, prior, planned)


@pytest.mark.parametrize("home", [None, ORGANIZATION])
def test_a_key_whose_secret_cannot_be_encrypted_is_revoked(
    session: Session, account: Account, monkeypatch: pytest.MonkeyPatch, home: str | None
) -> None:
    """It is in no state then, and the current key stays what it was.

    Where it was made, whatever has become the default organization since.
    """
    monkeypatch.setattr(account, "organization_id", lambda: "another one")
    saved: list[dict[str, Any]] = []
    encrypt = Recipients.encrypt

    def fail_for_the_new_one(self: Recipients, secret: str) -> str:
        if secret == "secret":
            raise MemoryError
        return encrypt(self, secret)

    monkeypatch.setattr(Recipients, "encrypt", fail_for_the_new_one)

    with pytest.raises(MemoryError):
        rotation(session, saved, AGE, home=home).carry_out()

    assert (account.creations, account.deletions) == (1, ["NEW"])
    assert [state["access_key_id"] for state in saved] == ["b"]


def test_no_state_on_the_way_has_a_secret_in_the_clear(session: Session, account: Account) -> None:
    """That of the state is encrypted before the first step."""
    saved: list[dict[str, Any]] = []

    state = rotation(session, saved, AGE).carry_out()

    assert [s["access_key_id"] for s in saved] == ["b", "NEW"]
    for each in (*saved, state):
        assert (each["secret_key"], each["previous_secret_key"]) == (None, None)
        assert each["encrypt_to"] == [AGE]
    assert account.deletions == []


def test_a_wrong_recipient_is_noticed_before_anything(session: Session, account: Account) -> None:
    """The plan may have known none."""
    with pytest.raises(WrongRecipient):
        rotation(session, [], "nobody@example.com")

    assert account.creations == 0
