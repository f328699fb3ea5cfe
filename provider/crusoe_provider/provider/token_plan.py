"""Planning a storage token: what will be known, what replaces it, and whether there is room.

Terraform asks for a plan per instance, and for a replacement twice: first with the token as it is,
then for its successor. The private data of the first comes with the second, and names the key that
is given up. Some hold in the apply as well, where Terraform plans every creation once more; see
`host.terraform_process`.
"""

from typing import TYPE_CHECKING, Final

from tf.types import Unknown

from crusoe_provider.api.errors import CrusoeError, PermissionDenied
from crusoe_provider.provider.diagnostics import add_api_error
from crusoe_provider.provider.shortage import add_gap_warning, add_plan_shortage
from crusoe_provider.provider.token_attributes import ORGANIZATION_ID
from crusoe_provider.providerserver.resource import PlanContext, State
from crusoe_provider.tokens.lifetime import Lifetime, Standing
from crusoe_provider.tokens.quota import KeySlots
from crusoe_provider.tokens.token import name_of

if TYPE_CHECKING:
    from crusoe_provider.provider.provider import CrusoeProvider

KEY: Final = "key"
"""In the private data: the access key ID of the token."""


class TokenPlan:
    """The plan for one token.

    Args:
        provider: The provider.
        ctx: The context of the call.
    """

    def __init__(self, provider: "CrusoeProvider", ctx: PlanContext) -> None:
        self._provider = provider
        self._ctx = ctx
        self._diags = ctx.diagnostics

    # -- A token that is to be created ---------------------------------------------------------

    def creation(self, planned: State) -> State:
        """Return the plan for a new token, which may be the successor of another."""
        planned["ready_for_renewal"] = False
        if self._ctx.config["expires_at"] is None and self._ctx.config["expires_after"] is None:
            planned["expires_at"] = None
        self._check_future(planned)
        organization_id = self._organization(planned[ORGANIZATION_ID])
        if organization_id is not None:
            planned[ORGANIZATION_ID] = organization_id
            if not self._diags.has_errors():
                self._check_limit(organization_id)
        return planned

    def _check_future(self, planned: State) -> None:
        """Refuse a token that would be born expired, or due for renewal by the same date."""
        standing = Lifetime.of(planned).standing(self._provider.now())
        if standing is Standing.EXPIRED:
            self._diags.add_error(
                "Expiry is in the past",
                f"A token that expires at {planned['expires_at']} could never be used.\n\n"
                "Set expires_at to a later date, or use expires_after for a token that is renewed "
                "by itself.",
                path=["expires_at"],
            )
        elif standing is Standing.READY_FOR_RENEWAL:
            self._diags.add_error(
                "Expiry is too near for the renewal",
                f"A token that expires at {planned['expires_at']} would be ready for renewal at "
                f"once, with renew_before = {planned['renew_before']}.\n\n"
                "Set expires_at to a later date, or use expires_after for a token that is renewed "
                "by itself.",
                path=["expires_at"],
            )

    def _organization(self, planned: object) -> str | None:
        """Return the organization of a new token, if it can be known already."""
        if isinstance(planned, str):
            return planned
        account = self._provider.account
        given = self._ctx.config[ORGANIZATION_ID]
        if given is Unknown or account is None or self._provider.organization_unknown:
            return None
        if self._provider.key_limit:
            account.expect_identity()
        try:
            return account.organization_id()
        except CrusoeError as error:
            self._add_error("Organization not determined", error)
            return None

    def _check_limit(self, organization_id: str) -> None:
        slots = self._provider.slots(organization_id)
        if slots is None:
            return
        replaced = self._ctx.private.get(KEY)
        if isinstance(replaced, str):
            slots.freed(replaced)
        try:
            shortage = slots.plan_creation()
        except PermissionDenied as error:
            self._warn_not_checked(error)
            return
        except CrusoeError as error:
            self._add_error("Limit of storage tokens not checked", error)
            return
        if shortage:
            add_plan_shortage(self._diags, shortage)

    def _warn_not_checked(self, error: PermissionDenied) -> None:
        if self._provider.first_time("limit not checked"):
            self._diags.add_warning(
                "Limit of storage tokens not checked",
                f"{error}\n\nThe plan goes on without knowing whether there is a free slot for the "
                "tokens that it creates.",
            )

    # -- A token that is there -----------------------------------------------------------------

    def update(self, current: State, planned: State) -> State:
        """Return the plan for an existing token; the context takes what forces a replacement."""
        ctx = self._ctx
        # What means the same is no change: the state keeps its own spelling.
        planned = {
            name: value if name in ctx.changed_fields else current[name]
            for name, value in planned.items()
        }
        ctx.private[KEY] = current["access_key_id"]
        planned["ready_for_renewal"] = current["ready_for_renewal"]
        self._plan_rotation(current)
        self._plan_expiry(current, planned)
        if not ctx.requires_replace:
            self._look_at_life(current, planned)
        self._count(current, replaced=bool(self._replacing(current, planned)))
        return planned

    def _plan_rotation(self, current: State) -> None:
        name = "rotate_when_changed"
        # A token that is imported or moved takes up the argument without a replacement.
        if name in self._ctx.changed_fields and current[name] is not None:
            self._ctx.requires_replace.add(name)

    def _plan_expiry(self, current: State, planned: State) -> None:
        config, changed = self._ctx.config, self._ctx.changed_fields
        if config["expires_at"] is not None:
            return  # the schema says that a change replaces
        expires_after = config["expires_after"]
        if expires_after is None:
            planned["expires_at"] = None
        elif (
            current["expires_at"] is None
            or (
                "expires_after" in changed
                # A token that has an expiry takes up the argument without a replacement.
                and (current["expires_after"] is not None or expires_after is Unknown)
            )
            or self._is_due(planned)
        ):
            planned["expires_at"] = Unknown
            self._ctx.requires_replace.add("expires_at")

    def _is_due(self, planned: State) -> bool:
        # A saved plan says already what is due; the moment must not come between it and its apply.
        if self._provider.terraform.applies_saved_plan():
            return False
        standing = Lifetime.of(planned).standing(self._provider.now())
        return standing in {Standing.READY_FOR_RENEWAL, Standing.EXPIRED}

    def _replacing(self, current: State, planned: State) -> set[str]:
        fixed = {"alias", "expires_at", ORGANIZATION_ID}
        changed = {
            name for name in fixed if planned[name] is Unknown or planned[name] != current[name]
        }
        return changed | self._ctx.requires_replace

    def _count(self, current: State, *, replaced: bool) -> None:
        slots = self._provider.slots(current[ORGANIZATION_ID])
        if slots is None:
            return
        if replaced:
            slots.freed(current["access_key_id"])
            self._warn_of_gap(slots)
            return
        shortage = slots.kept(current["access_key_id"])
        if shortage:
            add_plan_shortage(self._diags, shortage)

    def _warn_of_gap(self, slots: KeySlots) -> None:
        """Warn where the old token must go before the new one can come.

        Here, because Terraform drops the warnings of the second half of a replacement.
        """
        try:
            full = slots.full()
        except PermissionDenied as error:
            self._warn_not_checked(error)
        except CrusoeError:
            pass  # the second half of the replacement meets it too, and reports it
        else:
            if full and self._provider.first_time("gap"):
                add_gap_warning(self._diags)

    def _look_at_life(self, current: State, planned: State) -> None:
        """Tell what a user should hear of the expiry of a token that stays."""
        if planned["expires_at"] is Unknown or planned["expires_at"] != current["expires_at"]:
            return
        token, expires_at = name_of(current), planned["expires_at"]
        standing = Lifetime.of(planned).standing(self._provider.now())
        if not self._provider.first_time(f"life of {current['access_key_id']}"):
            return
        if standing is Standing.EXPIRED and planned["renew_before"] is not None:
            self._diags.add_error(
                "Storage token has expired",
                f"{token} has expired at {expires_at}. It should have been renewed, but a new "
                "token with the same expires_at would have expired as well.\n\n"
                "Set expires_at to a later date, or use expires_after instead, which gives every "
                "new token a date of its own.",
                path=["expires_at"],
            )
        elif standing is Standing.EXPIRED:
            self._diags.add_warning(
                "Storage token has expired",
                f"{token} has expired at {expires_at}, and S3 clients are refused. It still takes "
                "a slot.\n\n"
                "Set expires_at to a later date to replace it, or remove the token.",
            )
        elif standing is Standing.READY_FOR_RENEWAL:
            self._diags.add_warning(
                "Storage token is ready for renewal",
                f"{token} expires at {expires_at}. With a fixed expires_at it cannot be renewed by "
                "itself.\n\n"
                "Set expires_at to a later date, or use expires_after instead, which gives every "
                "new token a date of its own.",
            )
        elif standing is Standing.ENDS_SOON:
            self._diags.add_warning(
                "Storage token expires soon",
                f"{token} expires at {expires_at}, and nothing renews it before.\n\n"
                "Set expires_at to a later date, or let expires_after and renew_before renew it in "
                "time.",
            )

    def _add_error(self, summary: str, error: CrusoeError) -> None:
        add_api_error(self._diags, summary, error, credentials=self._provider.credentials)
