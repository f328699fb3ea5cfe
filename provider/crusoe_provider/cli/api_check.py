"""Checks of the way to the API and of what it answers. Nothing but GETs, within a bounded time."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from crusoe_provider.api import errors
from crusoe_provider.api.client import CrusoeClient
from crusoe_provider.api.clock import NOTEWORTHY_SKEW, skew_in_words
from crusoe_provider.api.tls import Authorities
from crusoe_provider.cli.report import Line, Status
from crusoe_provider.cli.token_lines import Quota, token_lines, undocumented
from crusoe_provider.cli.watching import Deviations, WatchedNetwork, collected_deviations
from crusoe_provider.provider.diagnostics import advice

if TYPE_CHECKING:
    from crusoe_provider.api.models import Identity, Organization
    from crusoe_provider.api.settings import Settings

Answered = TypeVar("Answered")

_REQUEST_TIMEOUT: Final = timedelta(seconds=10)
_RETRIES: Final = 1
_ALL_SECONDS: Final = 60.0
# Nobody reads more, and each is a request.
_MOST_ORGANIZATIONS: Final = 10
_CHECKS: Final = ("clock", "caller", "organizations", "tokens", "expiry", "answers")
_REPORT: Final = (
    "Please report it: https://github.com/crusoe-community/terraform-provider-crusoe/issues"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a check may take.

    Attributes:
        request: The time of one request.
        all: The seconds of all requests together.
    """

    request: timedelta = _REQUEST_TIMEOUT
    all: float = _ALL_SECONDS


class _Gone(Exception):  # noqa: N818 - no error: the rest has no sense any more
    """What follows cannot be asked."""


def api_lines(
    settings: "Settings",
    *,
    quota: Quota,
    limits: Limits | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[Line]:
    """Yield what there is to say of the API, and of what the caller has there.

    Args:
        settings: Endpoint and credentials.
        quota: How many tokens there may be, and what counts as about to expire.
        limits: How much time there is.
        now: The clock.
    """
    limits = limits or Limits()
    done: set[str] = set()
    with collected_deviations() as deviations:
        try:
            lines = _Check(settings, quota, limits, now, deviations).lines()
        except Exception as error:  # noqa: BLE001 - as in the client: nothing was sent, whatever it is
            lines = iter([_not_prepared(error)])
        for line in lines:
            done.add(line.name)
            yield line
    for name in _CHECKS:
        if name not in done:
            yield Line(name, Status.SKIPPED, "Not asked, because of the problem above.")


class _Check:
    def __init__(
        self,
        settings: "Settings",
        quota: Quota,
        limits: Limits,
        now: Callable[[], datetime],
        deviations: Deviations,
    ) -> None:
        self._settings = replace(
            settings,
            request_timeout=min(limits.request, settings.request_timeout),
            max_retries=min(_RETRIES, settings.max_retries),
        )
        self._quota = quota
        self._seconds = limits.all
        self._now = now
        self._deviations = deviations
        self._unusable = 0
        self._stop = threading.Event()
        self._network = WatchedNetwork(self._settings, now)
        self._client = CrusoeClient(
            self._settings, stop=self._stop, now=now, transport=self._network
        )

    def lines(self) -> Iterator[Line]:
        timer = threading.Timer(self._seconds, self._stop.set)
        timer.daemon = True
        timer.start()
        try:
            yield from self._asked()
        except _Gone:
            return
        finally:
            timer.cancel()
            self._client.close()

    def _asked(self) -> Iterator[Line]:
        caller, trouble = self._ask("caller", self._client.identity)
        yield self._connection(trouble)
        yield self._clock()
        if trouble is not None:
            yield trouble
            if trouble.details.get("http_status") == 401:  # noqa: PLR2004 - HTTP
                raise _Gone
        if caller is not None:
            yield _caller_line(caller)
        organizations, trouble = self._ask("organizations", self._client.organizations)
        if trouble is not None:
            yield trouble
        if organizations is not None:
            yield self._organizations_line(organizations)
        chosen = self._chosen(organizations or [])
        if not chosen or caller is None:
            yield from self._answers(organizations is not None or caller is not None)
            return
        for organization_id in chosen:
            yield from self._tokens(organization_id, caller)
        yield from self._answers(asked=True)

    def _tokens(self, organization_id: str, caller: "Identity") -> Iterator[Line]:
        keys, trouble = self._ask("tokens", lambda: self._client.list_keys(organization_id))
        if trouble is not None:
            yield trouble
        if keys is not None:
            self._deviations.found += undocumented(keys)
            yield from token_lines(organization_id, keys, caller, self._quota, self._now())

    def _ask(
        self, name: str, question: Callable[[], Answered]
    ) -> tuple[Answered | None, Line | None]:
        """Return an answer, or the line that says why there is none."""
        try:
            return question(), None
        except errors.CrusoeError as error:
            return None, self._failed(name, error)

    def _failed(self, name: str, error: errors.CrusoeError) -> Line:
        if isinstance(error, errors.UnexpectedAnswer):
            self._unusable += 1
        details: dict[str, Any] = {"error": type(error).__name__}
        if isinstance(error, errors.ApiError):
            details["http_status"] = error.status
        if isinstance(error, errors.Interrupted):
            message = f"No answer within the {self._seconds:g} seconds of all requests. {error}"
            return Line(name, Status.PROBLEM, message, _advice_on_silence(), details)
        source = self._settings.credentials_source
        return Line(name, Status.PROBLEM, str(error), advice(error, credentials=source), details)

    def _connection(self, trouble: Line | None) -> Line:
        settings = self._settings
        proxy = settings.proxy
        way = f" through the proxy {proxy.host}:{proxy.port} ({proxy.variable})" if proxy else ""
        details = {
            "endpoint": settings.endpoint.url,
            "proxy": f"{proxy.scheme}://{proxy.host}:{proxy.port}" if proxy else None,
            "tls": self._network.tls_version,
        }
        if not self._network.is_reached:
            if trouble is None:  # pragma: no cover - nothing else is an answer
                raise _Gone
            message = f"{settings.endpoint.url}{way}: {trouble.message}"
            line = replace(trouble, name="connection", message=message)
            return replace(line, details=details | dict(trouble.details))
        if self._network.tls_version is None:
            message = f"{settings.endpoint.url}, plain http, as on this machine only"
        else:
            trusted = (settings.authorities or Authorities()).source
            message = (
                f"{settings.endpoint.url}{way}, {self._network.tls_version}, certificate verified "
                f"(authorities of {trusted})"
            )
        return Line("connection", Status.OK, message, None, details)

    def _clock(self) -> Line:
        if not self._network.is_reached:
            raise _Gone
        skew = self._network.skew
        if skew is None:
            return Line("clock", Status.SKIPPED, "The server does not say what time it is.")
        details = {"skew_seconds": round(skew.total_seconds())}
        if abs(skew) > NOTEWORTHY_SKEW:
            message = skew_in_words(skew)
            return Line("clock", Status.PROBLEM, message, "Set the clock, or use NTP.", details)
        return Line("clock", Status.OK, "As the server's, within two minutes.", None, details)

    def _organizations_line(self, organizations: Sequence["Organization"]) -> Line:
        listed = ", ".join(o.id + (f" ({o.name})" if o.name else "") for o in organizations)
        details = {
            "organizations": [{"id": o.id, "name": o.name} for o in organizations],
            "chosen": self._settings.organization_id,
        }
        chosen = self._settings.organization_id
        if chosen and chosen not in {o.id for o in organizations}:
            return Line(
                "organizations",
                Status.PROBLEM,
                f"{chosen} is chosen, and the caller belongs to {listed or 'none'}.",
                "Correct CRUSOE_ORGANIZATION_ID, or organization_id in the profile.",
                details,
            )
        if not organizations:
            message = "The caller belongs to no active organization."
            text = "Ask an administrator of the organization to add the user."
            return Line("organizations", Status.PROBLEM, message, text, details)
        if chosen or len(organizations) == 1:
            which = f"; {chosen} is chosen" if chosen else ""
            return Line("organizations", Status.OK, f"{listed}{which}", None, details)
        return Line(
            "organizations",
            Status.WARNING,
            f"Several, and none is chosen: {listed}",
            "Set CRUSOE_ORGANIZATION_ID, or organization_id in the provider block.",
            details,
        )

    def _chosen(self, organizations: Sequence["Organization"]) -> list[str]:
        if self._settings.organization_id:
            return [self._settings.organization_id]
        return [o.id for o in organizations[:_MOST_ORGANIZATIONS]]

    def _answers(self, asked: bool) -> Iterator[Line]:
        deviations = list(dict.fromkeys(self._deviations.found))
        details = {"unusable": self._unusable, "deviations": deviations}
        if self._unusable:
            message = f"{self._unusable} cannot be used, see above."
            text = f"If no proxy answers in Crusoe's place: {_REPORT}"
            yield Line("answers", Status.PROBLEM, message, text, details)
        elif deviations:
            message = f"Not all is as documented: {'; '.join(deviations[:5])}"
            yield Line("answers", Status.WARNING, message, _REPORT, details)
        elif asked:
            yield Line("answers", Status.OK, "As documented.", None, details)


def _not_prepared(error: Exception) -> Line:
    """Return the line for a connection that could not even be prepared; no text is quoted."""
    kind = type(error).__name__
    return Line(
        "connection",
        Status.PROBLEM,
        f"No connection could be prepared ({kind}).",
        "Check the settings of proxies and TLS in the environment, or install the package again.",
        {"error": kind},
    )


def _caller_line(caller: "Identity") -> Line:
    details = {"user_id": caller.id, "email": caller.email}
    named = f"{caller.email} ({caller.id})" if caller.email else caller.id
    return Line("caller", Status.OK, named, None, details)


def _advice_on_silence() -> str:
    return "Try again later; if it stays, look at the network and at proxies in between."
