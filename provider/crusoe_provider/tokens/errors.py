"""What can go wrong with storage tokens beyond a failed request, with the evidence for a message.

    TokenError
    ├── NotKnownYet          the configuration depends on something that does not exist yet
    ├── InvalidToken         a stored state that is no token
    ├── ForeignToken         the token belongs to another user than the caller
    ├── SecretClaimed        one secret for two imports
    ├── QuotaExceeded        no room for a token
    │   ├── PlanExceedsQuota     the plan needs more tokens than a user may have
    │   ├── NoRoomToOpen         an ephemeral token finds all slots taken
    │   └── NoSlotCameFree       a creation has waited in vain
    ├── WrongRecipient       nothing can be encrypted to this recipient
    ├── WrongIdentity        nothing can be decrypted with this identity
    ├── WrongCiphertext      this cannot be decrypted
    ├── OwnerUnknown         whose the listed keys are cannot be told, so they are not counted
    └── AnswerLost           a creation was sent, and what came of it is not known from its answer

The texts for users are made of these in `provider/diagnostics.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crusoe_provider.api.errors import CrusoeError, RequestError
    from crusoe_provider.api.models import Identity, StorageKey
    from crusoe_provider.tokens.quota_count import Verdict


class TokenError(Exception):
    """The root of these errors."""


class NotKnownYet(TokenError):
    """What is asked depends on a resource that does not exist yet.

    Attributes:
        what: `credentials` or `organization_id`.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class InvalidToken(TokenError):
    """A stored state has no access key ID, so it is no token."""


class ForeignToken(TokenError):
    """The token belongs to another user.

    Attributes:
        name: How to call the token in a sentence.
        owner: The owner's user ID.
        caller: Who asks.
    """

    def __init__(self, name: str, owner: str, caller: "Identity") -> None:
        super().__init__(name)
        self.name = name
        self.owner = owner
        self.caller = caller


class SecretClaimed(TokenError):
    """The environment's secret for an import was given to another token already.

    Attributes:
        first: The ID of the token that has it.
        second: The ID of the token that asks for it.
    """

    def __init__(self, first: str, second: str) -> None:
        super().__init__("one secret for two imports")
        self.first = first
        self.second = second


@dataclass(frozen=True, slots=True)
class Shortage:
    """There is no room for a token: the evidence.

    Attributes:
        limit: How many keys the user may have in the organization.
        keys: The user's keys, oldest first.
        seen: The access key IDs of those that a state of this run has shown.
        borrowed: The access key IDs of ephemeral tokens of this run.
        verdict: The count of a plan.
        opening: How many ephemeral tokens of this run ask for a slot.
        unmanaged_known: Whether a key that was not seen is certainly in no state of this run.
    """

    limit: int
    keys: "Sequence[StorageKey]"
    seen: frozenset[str]
    borrowed: frozenset[str]
    verdict: "Verdict"
    opening: int = 0
    unmanaged_known: bool = False


class QuotaExceeded(TokenError):
    """There is no room for a token."""

    def __init__(self, shortage: Shortage) -> None:
        super().__init__("no free slot")
        self.shortage = shortage


class PlanExceedsQuota(QuotaExceeded):
    """The plan needs more tokens than a user may have.

    Attributes:
        rotating: Whether what it needs one for is a rotation.
    """

    rotating: bool = False


class NoRoomToOpen(QuotaExceeded):
    """All slots are taken when an ephemeral token is opened."""


class NoSlotCameFree(QuotaExceeded):
    """A creation has waited for a slot in vain.

    Attributes:
        waited: For how many seconds.
        blocked: Whether Terraform had all its operations waiting like this one.
        idle: Whether nothing in this apply seemed to free a slot any more.
    """

    def __init__(self, shortage: Shortage, *, waited: float, blocked: bool, idle: bool) -> None:
        super().__init__(shortage)
        self.waited = waited
        self.blocked = blocked
        self.idle = idle


class Flaw(Enum):
    """What is wrong with a recipient, an identity or a ciphertext."""

    EMPTY = auto()
    IDENTITY = auto()
    """It is a private key, where a public one belongs."""
    RECIPIENT = auto()
    """It is a public key, where a private one belongs."""
    SEVERAL = auto()
    """It has several lines, and one was expected."""
    UNSUPPORTED = auto()
    """It is of a kind that exists, and that is not supported."""
    PASSPHRASE = auto()
    """It is protected by a passphrase."""
    UNREADABLE = auto()
    """It is no such thing, or a damaged one."""
    NO_MATCH = auto()
    """It is for other identities."""


class WrongRecipient(TokenError):
    """Nothing can be encrypted to this recipient.

    Attributes:
        index: Its place in the list, from 0.
        flaw: What is wrong with it.
    """

    def __init__(self, index: int, flaw: Flaw) -> None:
        super().__init__(f"recipient {index}: {flaw.name}")
        self.index = index
        self.flaw = flaw


class WrongIdentity(TokenError):
    """Nothing can be decrypted with this identity."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.name)
        self.flaw = flaw


class WrongCiphertext(TokenError):
    """This cannot be decrypted."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.name)
        self.flaw = flaw


class OwnerUnknown(TokenError):
    """The listed keys belong to several users, and which of them is the caller cannot be told.

    Attributes:
        users: The user IDs in the list.
        caller: Who asks.
    """

    def __init__(self, users: Sequence[str], caller: "Identity") -> None:
        super().__init__("whose the keys are is not known")
        self.users = tuple(users)
        self.caller = caller


@dataclass(eq=False)
class AnswerLost(TokenError):
    """A creation was sent once, and its answer was lost.

    Attributes:
        cause: What happened to the request.
        candidates: The caller's keys that it may have made, as the list shows them; `None` when
            the list could not be read.
        list_error: Why it could not be read.
        revoked: The key that it had made, and that was revoked at once.
        left: The key that it has made and that could not be revoked.
        revoke_error: Why not.
        expire_at: The expiry that was asked for.
        ephemeral: Whether it was an ephemeral token, which no state keeps in sight.
        rotating: Whether it was the new key of a rotating token, which has one that works.
    """

    cause: "RequestError"
    candidates: "Sequence[StorageKey] | None" = None
    list_error: "CrusoeError | None" = None
    revoked: "StorageKey | None" = None
    left: "StorageKey | None" = None
    revoke_error: "CrusoeError | None" = None
    expire_at: str | None = None
    ephemeral: bool = False
    rotating: bool = False

    def __post_init__(self) -> None:
        super().__init__("the answer to a creation was lost")
