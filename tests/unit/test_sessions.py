"""The sessions of one provider block: who shares what."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from crusoe_provider.api.endpoint import Endpoint
from crusoe_provider.api.models import Identity
from crusoe_provider.api.settings import Settings
from crusoe_provider.tokens.errors import NotKnownYet, PlanExceedsQuota
from crusoe_provider.tokens.session import Session
from crusoe_provider.tokens.sessions import Sessions
from support.token_doubles import ME, ORGANIZATION, Account, Clock, Stop, Terraform, WaitingCalls
from support.token_doubles import key as key_named

OTHER = Identity("7d1f5b0e-2d5c-4a30-9d2b-6d7b1f2c9f11", "other@acme.example")


@dataclass
class Crusoe:
    """Users by access key ID, and the sessions of a provider block."""

    users: dict[str, Account]
    made: list[Settings] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sessions = Sessions()
        self.clock = Clock()
        self.stop = Stop(self.clock)
        self.calls = WaitingCalls(self.clock, self.stop)

    def settings_of(self, profile: str | None) -> Settings:
        """Return the settings of a profile: its name begins with the ID of an API key."""
        if profile == "later":
            raise NotKnownYet("credentials")
        access_key_id = (profile or "main").partition("-")[0]
        if access_key_id not in self.users:
            raise LookupError(profile)
        return Settings(
            endpoint=Endpoint.parse("https://api.example/v1"),
            access_key_id=access_key_id,
            secret_key="c2VjcmV0",
            credentials_source=f"profile {profile}",
            profile=profile,
        )

    def new_session(self, settings: Settings) -> Session:
        """Return a session of the user whose API key it is."""
        self.made.append(settings)
        return Session(
            account=self.users[settings.access_key_id],  # type: ignore[arg-type]  # a double
            credentials=settings.credentials_source,
            origin=settings.endpoint.origin,
            key_limit=2,
            now=lambda: datetime.now(UTC),
            stop=self.stop,
            calls=self.calls,
            terraform=Terraform(),
            tallies=self.sessions.tallies,
        )


def begun(**users: Account) -> Crusoe:
    """Return the sessions of a configured provider block."""
    crusoe = Crusoe({"main": Account()} | users)
    crusoe.sessions.begin(crusoe.settings_of, crusoe.new_session, Terraform())
    return crusoe


def test_nothing_is_known_before_the_provider_block_is() -> None:
    """As in plans whose provider block depends on a resource."""
    sessions = Sessions()

    assert not sessions.known
    assert sessions.find("a") is None
    assert sessions.quietly("a") is None
    with pytest.raises(NotKnownYet) as caught:
        sessions.get()
    assert caught.value.what == "credentials"


def test_a_thread_that_has_asked_for_nobody_is_about_nobody() -> None:
    """A message of it names no profile."""
    assert Sessions().here() is None


def test_a_warning_that_needs_no_session_is_given_once_for_each_topic() -> None:
    """Such as that nothing was refreshed."""
    sessions = Sessions()

    assert [sessions.warn_once(topic) for topic in "aab"] == [True, False, True]


def test_a_session_is_made_when_it_is_needed_and_once() -> None:
    """Also where many calls come at once."""
    crusoe = begun(a=Account())
    barrier = threading.Barrier(8)

    def get(_number: int) -> Session:
        barrier.wait()
        return crusoe.sessions.get("a")

    with ThreadPoolExecutor(8) as executor:
        found = set(executor.map(get, range(8)))

    assert len(found) == len(crusoe.made) == 1
    assert crusoe.sessions.all() == list(found)


def test_profiles_of_the_same_credentials_share_a_session_and_keep_their_names() -> None:
    """Messages are about the profile that the object names."""
    crusoe = begun(a=Account())
    first = crusoe.sessions.get("a-one")

    assert crusoe.sessions.get("a-two") is first

    whom = crusoe.sessions.here()
    assert whom is not None
    assert (whom.profile, whom.credentials) == ("a-two", "profile a-two")
    crusoe.sessions.forget_here()
    assert crusoe.sessions.here() is None


def test_each_user_keeps_their_own_session() -> None:
    """In any order: a key is made and revoked as the user whose it is."""
    accounts = {"main": Account(), "a": Account(), "b": Account()}
    crusoe = begun(**accounts)

    for profile in (None, "a", "b", "a", None, "b"):
        assert crusoe.sessions.get(profile).account is accounts[profile or "main"]  # type: ignore[comparison-overlap]


def test_what_a_profile_is_is_asked_once() -> None:
    """Somebody may change its file while Terraform runs."""
    crusoe, asked = begun(a=Account()), []

    def settings_of(profile: str | None) -> Settings:
        asked.append(profile)
        return crusoe.settings_of(profile)

    crusoe.sessions.begin(settings_of, crusoe.new_session, Terraform())
    for _ in range(2):
        crusoe.sessions.get("a")
        crusoe.sessions.get()

    assert asked == ["a", None]


def test_a_call_belongs_to_the_user_that_it_asks_for() -> None:
    """A slow one is waited for by those of the same user only."""
    crusoe = begun(a=Account(), b=Account())

    with crusoe.calls.call():
        mine, other = crusoe.sessions.get("b"), crusoe.sessions.get("a")
        crusoe.clock.seconds += 60

        assert crusoe.calls.others_are_slow(mine)
        assert not crusoe.calls.others_are_slow(other)


def test_a_profile_that_may_be_missing_is_no_error() -> None:
    """One that has got another name, and one that is not known yet."""
    crusoe = begun(a=Account())

    assert crusoe.sessions.quietly("b") is None
    assert crusoe.sessions.quietly("later") is None
    assert crusoe.sessions.quietly("a") is crusoe.sessions.get("a")
    assert crusoe.sessions.quietly("a") is not crusoe.sessions.get()


def test_an_empty_profile_is_none() -> None:
    """What a module hands on that has no value."""
    crusoe = begun()

    assert crusoe.sessions.get("") is crusoe.sessions.get()
    assert not crusoe.sessions.several()


def test_one_profile_that_does_not_exist_is_no_matter_for_the_others() -> None:
    """Nor is one that is not known yet."""
    crusoe = begun(a=Account())

    with pytest.raises(LookupError):
        crusoe.sessions.get("b")
    assert crusoe.sessions.find("later") is None
    assert crusoe.sessions.find("a") is not None
    assert crusoe.sessions.known


def test_two_api_keys_of_one_user_are_one_quota() -> None:
    """What one session keeps, the other one cannot use."""
    keys = [key_named("A"), key_named("B")]
    crusoe = begun(a=Account(listed=list(keys)), b=Account(listed=list(keys)))
    one, two = (crusoe.sessions.get(name).quota(ORGANIZATION) for name in "ab")
    for name in "AB":
        crusoe.sessions.tallies.observe(name)

    two.plan_release("A")
    two.plan_keep("B")
    assert one.plan_creation()
    with pytest.raises(PlanExceedsQuota) as caught:
        two.plan_creation()

    assert caught.value.shortage.verdict.creations == 2
    two.drop_planned_creation()
    assert one.has_seen("B")


def test_a_key_that_is_kept_under_another_name_is_no_free_slot() -> None:
    """The creation was let through before that was known; so what is kept reports it."""
    keys = [key_named("A"), key_named("B")]
    crusoe = begun(a=Account(listed=list(keys)), b=Account(listed=list(keys)))
    one, two = (crusoe.sessions.get(name).quota(ORGANIZATION) for name in "ab")
    for name in "AB":
        crusoe.sessions.tallies.observe(name)

    assert one.plan_creation()
    two.plan_keep("A")
    with pytest.raises(PlanExceedsQuota):
        two.plan_keep("B")


def test_two_users_are_two_quotas() -> None:
    """With the same list before them."""
    mine = [key_named("A"), key_named("B")]
    crusoe = begun(
        a=Account(listed=list(mine), caller=ME), b=Account(listed=list(mine), caller=OTHER)
    )

    assert crusoe.sessions.get("b").quota(ORGANIZATION).plan_creation()
    with pytest.raises(PlanExceedsQuota):
        crusoe.sessions.get("a").quota(ORGANIZATION).plan_creation()
