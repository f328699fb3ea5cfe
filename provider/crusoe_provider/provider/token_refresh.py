"""Reading a storage token: what the list says of it, and what it means if it says nothing.

Absence is believed only where it is proof. The list must have been read whole, and by the owner:
another user may not be shown the token, and a plan that makes a second one in its place would leave
the first one to nobody.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from crusoe_provider.api.errors import CrusoeError
from crusoe_provider.provider.diagnostics import add_api_error
from crusoe_provider.provider.token_attributes import ORGANIZATION_ID
from crusoe_provider.provider.token_plan import KEY
from crusoe_provider.providerserver.resource import Private, ReadContext, State
from crusoe_provider.tokens.lifetime import Lifetime, instant_or_none
from crusoe_provider.tokens.token import is_token, listed_attributes, name_of, refreshed

if TYPE_CHECKING:
    from tf.utils import Diagnostics

    from crusoe_provider.api.account import Account
    from crusoe_provider.provider.provider import CrusoeProvider
    from crusoe_provider.tokens.creation import TokenCreation

_MADE: Final = "made"
_SEEN: Final = "seen"
# For this long a list is allowed to know nothing of a new token.
_LONGEST_LAG: Final = timedelta(hours=1)
# The last time seen is written down no more often than this: it should not churn the state.
_SEEN_STEP: Final = timedelta(days=1)
_DISABLED: Final = "disabled"


class TokenRefresh:
    """The refresh of one token.

    Args:
        provider: The provider.
        diagnostics: Where to report.
    """

    def __init__(self, provider: "CrusoeProvider", diagnostics: "Diagnostics") -> None:
        self._provider = provider
        self._diags = diagnostics

    def begin(self, state: State, private: Private) -> None:
        """Make the private data that of the token just created, not of its predecessor."""
        private.clear()
        private[KEY] = state["access_key_id"]
        private[_MADE] = _stamp(self._provider.now())

    def complete(self, creation: "TokenCreation", state: State, private: Private) -> State:
        """Return the state of a token just created with what only the list tells."""
        try:
            listed = creation.listed(lambda key: is_token(key, state))
        except CrusoeError as error:
            problem = f"Crusoe's list of tokens could not be read: {error}"
        else:
            if listed:
                private[_SEEN] = private.pop(_MADE)
                return state | listed_attributes(listed[0])
            problem = "Crusoe's list of tokens does not show it yet."
        self._diags.add_warning(
            "Storage token created, but not yet listed",
            f"Access key {state['access_key_id']} was created and its secret is in the state. "
            f"{problem}\n\n"
            "Nothing needs to be done: its ID, status and creation time are filled in at the next "
            "refresh, for example by the next terraform plan.",
        )
        return state

    def read(self, ctx: ReadContext, current: State) -> State | None:
        """Return the state as it is now; `None` if the token is gone."""
        account = self._provider.account
        if account is None:
            if self._provider.first_time("not refreshed"):
                self._diags.add_warning(
                    "Storage tokens not refreshed",
                    "The provider block takes its settings from a resource that does not exist "
                    "yet, so this plan works with the last known state.",
                )
            return current
        try:
            # A token moved from elsewhere may not say where it is.
            organization_id = current[ORGANIZATION_ID] or account.organization_id()
            keys = account.keys(organization_id)
            key = next((key for key in keys if is_token(key, current)), None)
            if key is None:
                return self._absent(account, current, ctx.private)
        except CrusoeError as error:
            add_api_error(
                self._diags,
                "Storage token not read",
                error,
                credentials=self._provider.credentials,
            )
            return current
        state = refreshed(current, key) | {ORGANIZATION_ID: organization_id}
        now = self._provider.now()
        state["ready_for_renewal"] = Lifetime.of(state).ready_for_renewal(now)
        if state["status"] == _DISABLED:
            self._diags.add_warning(
                "Storage token is disabled",
                f"{name_of(state)} was disabled at Crusoe, so S3 clients are refused. It still "
                "takes a slot.\n\n"
                "Ask an administrator to enable it, or replace it with terraform apply -replace.",
            )
        ctx.private[KEY] = key.access_key_id
        ctx.private.pop(_MADE, None)
        seen = _moment(ctx.private.get(_SEEN))
        if seen is None or now - seen >= _SEEN_STEP:
            ctx.private[_SEEN] = _stamp(now)
        return state

    def _absent(self, account: "Account", current: State, private: Private) -> State | None:
        """Return the state of a token that the list does not show."""
        if self.belongs_to_somebody_else(account, current):
            self.add_foreign("Storage token belongs to another user", account, current)
            return current
        made = _moment(private.get(_MADE))
        if made is not None and self._provider.now() - made < _LONGEST_LAG:
            self._diags.add_warning(
                "Storage token not yet listed",
                f"{name_of(current)} was created at {_stamp(made)}, and Crusoe's list of tokens "
                "does not show it yet. It stays in the state.\n\n"
                "Nothing needs to be done: what is missing is filled in at a later refresh.",
            )
            return current
        seen = _moment(private.get(_SEEN))
        last = f" It was last seen there on {seen:%Y-%m-%d}." if seen else ""
        self._diags.add_warning(
            "Storage token no longer exists",
            f"{name_of(current)} is not in Crusoe's list any more: it was deleted outside of "
            f"Terraform.{last}\n\n"
            "As long as it is in the configuration, a plan creates a new one with a new secret.",
        )
        return None

    def belongs_to_somebody_else(self, account: "Account", current: State) -> bool:
        """Say whether the token's owner is known and is not the caller.

        Raises:
            CrusoeError: Who the caller is could not be found out.
        """
        owner = current["user_id"]
        return owner is not None and owner != account.identity().id

    def add_foreign(self, summary: str, account: "Account", current: State) -> None:
        """Report that these are not the credentials of the token's owner."""
        identity = account.identity()
        self._diags.add_error(
            summary,
            f"{name_of(current)} belongs to user {current['user_id']}, and the credentials in use "
            f"({self._provider.credentials}) are those of user {identity.id} ({identity.email}). A "
            "user sees and deletes only tokens of their own, so nothing can be said about this "
            "one.\n\n"
            "Run Terraform with the owner's credentials. If the owner is gone for good, remove "
            "the token from the state (terraform state rm) and have it deleted by an "
            "administrator.",
        )


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _moment(stored: object) -> datetime | None:
    instant = instant_or_none(stored)
    return instant.moment if instant else None
