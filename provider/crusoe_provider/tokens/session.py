"""What the elements of one configured provider block share."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from crusoe_provider.api.deletion import Deletion
from crusoe_provider.api.errors import NotDeleted, NotFound, PermissionDenied
from crusoe_provider.tokens.creation import Creation
from crusoe_provider.tokens.errors import NotKnownYet, SecretClaimed
from crusoe_provider.tokens.ownership import Ownership
from crusoe_provider.tokens.presence import Memory, Presence
from crusoe_provider.tokens.quota import Quota
from crusoe_provider.tokens.tally import Tallies

if TYPE_CHECKING:
    from crusoe_provider.api.account import Account
    from crusoe_provider.tokens.in_flight import InFlightCalls
    from crusoe_provider.tokens.terraform import Terraform
    from crusoe_provider.tokens.token import Token


class Once:
    """Says once for each topic that it is new; for warnings. Safe under threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._topics: set[str] = set()

    def __call__(self, topic: str) -> bool:
        """Say whether nobody has asked about `topic` before."""
        with self._lock:
            known = topic in self._topics
            self._topics.add(topic)
            return not known


class Importer:
    """Says which token the secret is for that the environment gives. Safe under threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._first: tuple[str, str] | None = None

    def claim(self, access_key_id: str, name: str) -> tuple[str, str]:
        """Return the token that the secret is for, the first to ask: its key, and its name.

        Args:
            access_key_id: The token that asks.
            name: What the user calls it.
        """
        with self._lock:
            self._first = self._first or (access_key_id, name)
            return self._first


@dataclass(eq=False, kw_only=True)
class Session:
    """One user's account, and what was learnt of it in this process. Safe under threads.

    Attributes:
        account: The caller's account.
        credentials: Where the credentials in use come from, in words.
        origin: The scheme, host and port of the API.
        organization_known: Whether the configured organization is known already.
        import_secret: The secret that the environment gives for a token that is imported.
        warn_once: For warnings that are given once.
        key_limit: How many keys the caller may have in an organization; 0 for no check.
        now: The clock, aware.
        stop: Set when nothing new is to be started.
        calls: The calls in flight.
        terraform: The Terraform that has started this process.
        hide: Keeps a secret out of the log; for those that no attribute carries.
        told: Returns a detail of a warning with whom it is about, where there is more than one.
        ownership: What is known of whose keys are whose; shared by the sessions of a process.
        tallies: What is counted; shared by the sessions of a process.
        importer: Whom the secret for an import is for; shared by the sessions of a process.
    """

    account: "Account"
    credentials: str
    origin: str = ""
    key_limit: int
    now: Callable[[], datetime]
    stop: threading.Event
    calls: "InFlightCalls"
    terraform: "Terraform"
    hide: Callable[[str], None] = lambda _secret: None
    told: Callable[[str], str] = lambda detail: detail
    organization_known: bool = True
    import_secret: str | None = field(default=None, repr=False)
    warn_once: Once = field(default_factory=Once)
    ownership: Ownership = field(default_factory=Ownership)
    tallies: Tallies = field(default_factory=Tallies)
    importer: Importer = field(default_factory=Importer)
    _quotas: dict[str, Quota] = field(default_factory=dict)
    _borrowed: dict[str, str] = field(default_factory=dict)
    _awaiting: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def organization_id(self, given: str | None) -> str:
        """Return the organization to work in.

        Args:
            given: What the element itself says.

        Raises:
            NotKnownYet: The provider block takes it from a resource that does not exist yet.
            CrusoeError: It could not be found out.
        """
        if given:
            return given
        if not self.organization_known:
            raise NotKnownYet("organization_id")
        return self.account.organization_id()

    def whereabouts(self, known: str | None, access_key_id: str) -> str:
        """Return the organization of a token that is to go.

        Where nobody knows it (Terraform keeps from the deletion of a tainted object what is
        remembered of it) the lists tell: the default may have been another one when it was made.

        Args:
            known: What its state says, or is remembered of it, if anything.
            access_key_id: The token.

        Raises:
            CrusoeError: It could not be found out.
        """
        default = self.organization_id(known)
        if known or self._lists(default, access_key_id):
            return default
        others = (found for found in self.account.organizations() if found != default)
        return next((found for found in others if self._lists(found, access_key_id)), default)

    def _lists(self, organization_id: str, access_key_id: str) -> bool:
        try:
            keys = self.account.keys(organization_id)
        except (PermissionDenied, NotFound):  # whoever may not look there has nothing there
            return False
        return any(key.access_key_id == access_key_id for key in keys)

    def quota(self, organization_id: str) -> Quota:
        """Return the caller's quota in an organization."""
        with self._lock:
            if organization_id not in self._quotas:
                self._quotas[organization_id] = Quota(
                    self.account,
                    organization_id,
                    limit=self.key_limit,
                    ownership=self.ownership,
                    calls=self.calls,
                    terraform=self.terraform,
                    stop=self.stop,
                    tallies=self.tallies,
                    origin=self.origin,
                    party=self,
                )
            return self._quotas[organization_id]

    def creation(self, organization_id: str) -> Creation:
        """Return what creates tokens in an organization."""
        return Creation(
            self.account,
            organization_id,
            quota=self.quota(organization_id),
            ownership=self.ownership,
            stop=self.stop,
        )

    def presence(self, organization_id: str) -> Presence:
        """Return what looks for tokens in an organization."""
        return Presence(
            self.account,
            organization_id,
            ownership=self.ownership,
            stop=self.stop,
            now=self.now(),
        )

    def revoke(self, organization_id: str, access_key_id: str, *, finish: bool = False) -> bool:
        """Revoke a token, and give its slot back; return whether it was still there.

        Args:
            organization_id: Where it is.
            access_key_id: Which one.
            finish: Do so even after a stop was asked for.

        Raises:
            CrusoeError: It could not be revoked.
        """
        deletion = self.account.delete_key(organization_id, access_key_id, finish=finish)
        self.quota(organization_id).release(access_key_id)
        with self._lock:
            self._borrowed.pop(access_key_id, None)
        return deletion is Deletion.DELETED

    def revoke_own(
        self, organization_id: str, token: "Token", memory: "Memory | None" = None
    ) -> None:
        """Revoke a token of a state; one that is gone already is success.

        Args:
            organization_id: Where it is.
            token: The token.
            memory: What is remembered of it.

        Raises:
            ForeignToken: It is another user's.
            CrusoeError: It could not be revoked.
        """
        try:
            there = self.revoke(organization_id, token.access_key_id)
        except NotDeleted:
            # It stays in a list that shows the tokens of all users.
            self.presence(organization_id).check_owner(token, memory)
            raise
        if not there:
            # For another user than the owner every token is absent.
            self.presence(organization_id).check_owner(token, memory)

    def borrow(self, organization_id: str, access_key_id: str) -> None:
        """Take note of an ephemeral token, so that it cannot be forgotten."""
        self.quota(organization_id).borrow(access_key_id)
        with self._lock:
            self._borrowed[access_key_id] = organization_id

    def borrowed(self) -> dict[str, str]:
        """Return the ephemeral tokens that are not revoked: access key ID to organization."""
        with self._lock:
            return dict(self._borrowed)

    def claim_import_secret(self, access_key_id: str, name: str | None = None) -> str | None:
        """Return the secret that the environment gives for a token that is, or was, imported.

        Args:
            access_key_id: The token.
            name: What the user calls it, if that is another ID.

        Raises:
            SecretClaimed: It was given to another token of this run already.
        """
        if self.import_secret is None:
            return None
        name = name or access_key_id
        first, first_name = self.importer.claim(access_key_id, name)
        if first != access_key_id:
            raise SecretClaimed(first_name, name)
        return self.import_secret

    def await_secret(self, access_key_id: str) -> None:
        """Take note of an imported token that gets its secret in the apply."""
        with self._lock:
            self._awaiting.add(access_key_id)

    def awaits_secret(self, access_key_id: str) -> bool:
        """Say whether this run has imported a token that gets its secret in the apply."""
        with self._lock:
            return access_key_id in self._awaiting
