"""The sessions of one provider block: one for each user, by profile."""

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from crusoe_provider.tokens.errors import NotKnownYet
from crusoe_provider.tokens.session import Once, Session
from crusoe_provider.tokens.tally import Tallies

if TYPE_CHECKING:
    from collections.abc import Callable

    from crusoe_provider.api.settings import Settings
    from crusoe_provider.tokens.terraform import Terraform


class Whom(NamedTuple):
    """Whom a call is about.

    Attributes:
        profile: The profile that its object names; `None` for the provider block's credentials.
        credentials: Where the credentials come from, in words.
        session: The session.
    """

    profile: str | None
    credentials: str
    session: Session


class Sessions:
    """The sessions of a provider block, once it is configured. Safe under threads.

    A session is made when an object first needs it. Profiles with the same credentials share one.

    Attributes:
        tallies: What is counted, for all users.
        warn_once: For warnings that need no session.
    """

    def __init__(self) -> None:
        self.tallies = Tallies()
        self.warn_once = Once()
        self._lock = threading.Lock()
        self._settings_of: Callable[[str | None], Settings] | None = None
        self._new_session: Callable[[Settings], Session] | None = None
        self._terraform: Terraform | None = None
        self._known: dict[str | None, Whom] = {}
        self._by_settings: dict[Settings, Session] = {}
        self._here = threading.local()

    def begin(
        self,
        settings_of: "Callable[[str | None], Settings]",
        new_session: "Callable[[Settings], Session]",
        terraform: "Terraform",
    ) -> None:
        """Make known how sessions are made.

        Args:
            settings_of: Returns the settings of a profile, or those of the provider block; raises
                `NotKnownYet` where they depend on a resource that does not exist yet.
            new_session: Returns a session with these settings.
            terraform: The Terraform that has started this process.
        """
        self._settings_of = settings_of
        self._new_session = new_session
        self._terraform = terraform

    @property
    def known(self) -> bool:
        """Whether the credentials of the provider block are known."""
        try:
            return self.find() is not None
        except Exception:  # noqa: BLE001 - there are none, which `get` reports
            return True

    def get(self, profile: str | None = None) -> Session:
        """Return the session of a profile; by default that of the provider block's credentials.

        From then on the calling thread is about this profile; see `here`.

        Raises:
            NotKnownYet: The provider block depends on a resource that does not exist yet, which
                happens in plans and imports only.
            Exception: What the provider has to say of a profile that does not exist.
        """
        profile = profile or None
        with self._lock:
            whom = self._known.get(profile) or self._open(profile)
            self._known[profile] = whom
        self._here.whom = whom
        whom.session.calls.belongs_to(whom.session)
        return whom.session

    def find(self, profile: str | None = None) -> Session | None:
        """Return what `get` does, or `None` where that is not known yet."""
        try:
            return self.get(profile)
        except NotKnownYet:
            return None

    def planned(self, profile: str | None = None) -> Session | None:
        """Return what `find` does for an object that is to be.

        `None`, too, where there is none and the command creates nothing: then nobody needs it.
        """
        try:
            return self.find(profile)
        except Exception:
            if self._terraform and self._terraform.creates_nothing():
                return None
            raise

    def quietly(self, profile: str | None = None) -> Session | None:
        """Return what `get` does, or `None` where there is none, for whatever reason."""
        try:
            return self.find(profile)
        except Exception:  # noqa: BLE001 - whoever needs it reports it
            return None

    def all(self) -> list[Session]:
        """Return the sessions that there are."""
        with self._lock:
            return list(self._by_settings.values())

    def forget_here(self) -> None:
        """Take note that the calling thread begins with something new."""
        self._here.whom = None

    def here(self) -> Whom | None:
        """Return whom the calling thread is about: the last that it has asked for."""
        whom: Whom | None = getattr(self._here, "whom", None)
        return whom

    def several(self) -> bool:
        """Say whether objects have asked for more than the credentials of the provider block."""
        with self._lock:
            return any(profile is not None for profile in self._known)

    def _open(self, profile: str | None) -> Whom:
        if self._settings_of is None or self._new_session is None:
            raise NotKnownYet("credentials")
        settings = self._settings_of(profile)
        # Whatever it is called, it is the same user at the same place.
        same = replace(settings, credentials_source="", profile=None)
        if same not in self._by_settings:
            self._by_settings[same] = self._new_session(settings)
        return Whom(profile, settings.credentials_source, self._by_settings[same])
