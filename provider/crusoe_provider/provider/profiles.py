"""Profiles that objects name, in place of the credentials of the provider block.

They are the entries of `profiles` in the provider block and the profiles of `~/.crusoe/config`; a
name in both is taken from the block, whole. Whatever else there is to set is set as for the
provider block, unless the file's profile says otherwise. Credentials belong to the endpoint of
their source here, too: those of the file go where their profile says, or where a block may send
them that names this profile.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from crusoe_provider.api.text import printable
from crusoe_provider.provider.attributes import PROFILE
from crusoe_provider.provider.configuration import settings_from
from crusoe_provider.provider.credentials import UNKNOWN_PROFILE
from crusoe_provider.provider.diagnostics import Refusal
from crusoe_provider.provider.problems import ConfigurationError, Problem
from crusoe_provider.providerserver.errors import Diagnosis
from crusoe_provider.tokens.errors import NotKnownYet

if TYPE_CHECKING:
    from crusoe_provider.api.settings import Settings
    from crusoe_provider.provider.configuration import Configuration, Sources
    from crusoe_provider.provider.provider_block import ProfileEntry


class Profiles:
    """The settings of each profile that an object may name.

    Args:
        configuration: What the provider block and its surroundings say.
        credentials_known: Whether the block's own credentials are known already.
        profiles_known: Whether the names in the block's `profiles` are.
    """

    def __init__(
        self,
        configuration: "Configuration",
        *,
        credentials_known: bool = True,
        profiles_known: bool = True,
    ) -> None:
        self._configuration = configuration
        self._credentials_known = credentials_known
        self._profiles_known = profiles_known

    def settings_of(self, profile: str | None) -> "Settings":
        """Return the settings of a profile; of the provider block's own credentials for `None`.

        Raises:
            NotKnownYet: They depend on a resource that does not exist yet.
            Refusal: There is no such profile, or it cannot be used.
        """
        if profile is None:
            return self._default()
        sources = self._configuration.sources
        entry = (sources.block.profiles or {}).get(profile)
        if not self._profiles_known or (entry is not None and not entry.known):
            raise NotKnownYet("credentials")
        try:
            if entry is not None:
                return _of_block(sources, profile, entry)
            return _of_file(sources, profile)
        except ConfigurationError as error:
            raise _refusal(error) from error

    def _default(self) -> "Settings":
        configuration = self._configuration
        if not self._credentials_known:
            raise NotKnownYet("credentials")
        if configuration.settings is not None:
            return configuration.settings
        (problem,) = configuration.missing.problems if configuration.missing else ()
        names = _listed(configuration.sources)
        raise Refusal(
            Diagnosis(
                problem.summary,
                f"{problem.detail} Or set profile here: there are {names}.",
                [PROFILE],
            )
        )


def _of_block(sources: "Sources", profile: str, entry: "ProfileEntry") -> "Settings":
    block = replace(
        sources.block, access_key_id=entry.access_key_id, secret_key=entry.secret_key, profiles=None
    )
    settings = settings_from(replace(sources, block=block), [])
    return _named(settings, profile, f'profile "{printable(profile)}" of the provider block')


def _of_file(sources: "Sources", profile: str) -> "Settings":
    own = sources.file.profiles.get(profile)
    if own is None:
        raise ConfigurationError([_unknown(sources, profile)])
    if "access_key_id" not in own and "secret_key" not in own:
        raise ConfigurationError(
            [
                Problem(
                    "Profile without credentials",
                    f'Profile "{printable(profile)}" of {sources.file.path} has neither '
                    "access_key_id nor secret_key.\n\n"
                    "Add them there, or to `profiles` in the provider block.",
                )
            ]
        )
    block = replace(
        sources.block, profile=profile, access_key_id=None, secret_key=None, profiles=None
    )
    if own.get("api_endpoint"):
        block = replace(block, api_endpoint=None)
    if own.get("organization_id"):
        block = replace(block, organization_id=None)
    settings = settings_from(replace(sources, block=block), [])
    return _named(settings, profile, settings.credentials_source)


def _named(settings: "Settings", profile: str, source: str) -> "Settings":
    return replace(settings, credentials_source=source, profile=profile)


def _unknown(sources: "Sources", profile: str) -> Problem:
    file = sources.file
    where = file.path or "~/.crusoe/config"
    state = "" if file.exists else f" {where} does not exist."
    return Problem(
        UNKNOWN_PROFILE,
        f'There is no profile "{printable(profile)}", neither in `profiles` of the provider block '
        f"nor in {where}.{state} There are {_listed(sources)}.\n\n"
        "Correct the name, or add the profile in one of the two places. If it was renamed and the "
        "state still has the old name, apply once with -refresh=false.",
    )


def _listed(sources: "Sources") -> str:
    names = ", ".join(f'"{printable(name)}"' for name in sources.profile_names)
    return f"these profiles: {names}" if names else "no profiles"


def _refusal(error: ConfigurationError) -> Refusal:
    first, *more = error.problems
    detail = "\n\n".join([first.detail, *(f"{p.summary}: {p.detail}" for p in more)])
    return Refusal(Diagnosis(first.summary, detail, [PROFILE]))
