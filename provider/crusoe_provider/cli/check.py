"""`terraform-provider-crusoe check`: is all there that an apply needs? It changes nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from crusoe_provider.cli.api_check import api_lines
from crusoe_provider.cli.report import Line, Status
from crusoe_provider.cli.terraform_check import terraform_lines
from crusoe_provider.cli.token_lines import Quota
from crusoe_provider.provider.configuration import settle
from crusoe_provider.provider.problems import ConfigurationError, Problem
from crusoe_provider.provider.provider import DEFAULT_KEY_LIMIT
from crusoe_provider.provider.provider_block import ProviderBlock

if TYPE_CHECKING:
    from crusoe_provider.provider.configuration import Configuration


@dataclass(frozen=True, slots=True)
class Options:
    """What is to be checked.

    Attributes:
        profile: The profile that a provider block or a resource names, if one does.
        terraform: Whether to look for Terraform and its plugin.
        expires_within: The time before an expiry in which it is a problem, and no warning.
    """

    profile: str | None = None
    terraform: bool = True
    expires_within: timedelta | None = None


def check(
    options: Options, *, environ: Mapping[str, str], home: Path | None, folder: Path
) -> Iterator[Line]:
    """Yield what was found, in the order in which it matters.

    Args:
        options: What is to be checked.
        environ: The environment.
        home: The home folder, if there is one.
        folder: The working folder.
    """
    if options.terraform:
        yield from terraform_lines(environ, home, folder)
    block = ProviderBlock(profile=options.profile)
    try:
        configuration = settle(block, environ=environ, home=home)
    except ConfigurationError as error:
        yield from map(_problem, error.problems)
        return
    for warning in configuration.warnings:
        yield _line(warning, Status.WARNING)
    if configuration.settings is None:
        yield _missing(configuration)
        return
    settings = configuration.settings
    # The ID is not shown: who has mixed up the two has the secret there.
    source = settings.credentials_source
    yield Line("credentials", Status.OK, f"From {source}.", None, {"source": source})
    quota = Quota(DEFAULT_KEY_LIMIT, options.expires_within)
    yield from api_lines(settings, quota=quota)


def _problem(problem: Problem) -> Line:
    return _line(problem, Status.PROBLEM)


def _line(problem: Problem, status: Status) -> Line:
    message, _, todo = problem.detail.rpartition("\n\n")
    return Line(
        "configuration",
        status,
        f"{problem.summary}: {message or todo}",
        todo if message else None,
        {"summary": problem.summary},
    )


def _missing(configuration: "Configuration") -> Line:
    """Return the line for where there are profiles, but no credentials for the provider block."""
    (problem,) = configuration.missing.problems if configuration.missing else ()
    line = _problem(problem)
    names = ", ".join(configuration.sources.profile_names)
    more = f"{line.advice} If resources name a profile: --profile NAME, one of {names}."
    return Line(line.name, line.status, line.message, more, line.details)
