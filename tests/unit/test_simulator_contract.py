"""The simulator on every request that the contract allows, and on many that it does not."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
import yaml
from hypothesis import settings
from requests.auth import AuthBase
from schemathesis.checks import not_a_server_error
from schemathesis.generation.case import Case as AnyCase
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from crusoe_simulator.server import Simulator
from crusoe_simulator.state import User
from support.contract import DOCUMENT
from support.signed_requests import authorization

SCHEMA = schemathesis.openapi.from_path(DOCUMENT)
# Methods that the contract does not have are no business of the provider's.
SCHEMA.config.phases.coverage.unexpected_methods = set()
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]

Case = AnyCase[Any]


class Signature(AuthBase):
    """Signs requests as a user."""

    def __init__(self, user: User) -> None:
        self._user = user

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        timestamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        url = urlsplit(request.url or "")
        target = f"{url.path}?{url.query}" if url.query else url.path
        request.headers["X-Crusoe-Timestamp"] = timestamp
        request.headers["Authorization"] = authorization(
            self._user, request.method or "", target, timestamp
        )
        return request


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        simulator.cloud.add_user("dev@acme.example", simulator.cloud.add_organization("acme"))
        yield simulator


@SCHEMA.parametrize()
@settings(max_examples=40)
def test_its_answers_are_those_of_the_contract(case: Case, simulator: Simulator) -> None:
    """For a caller who may do all of it, and has a slot free."""
    (user,) = simulator.cloud.users
    keys = simulator.cloud.keys()
    for key in keys:
        simulator.cloud.remove_key(key.key_uuid)
    if "org_id" in case.path_parameters:
        case.path_parameters["org_id"] = user.organizations[0]

    # Where one of the two headers is left out on purpose, it stays so.
    complete = {"Authorization", "X-Crusoe-Timestamp"} <= set(case.headers)

    case.call_and_validate(
        base_url=simulator.endpoint, auth=Signature(user) if complete else None, checks=CHECKS
    )


@SCHEMA.parametrize()
@settings(max_examples=10)
def test_it_answers_nobody_without_a_signature(case: Case, simulator: Simulator) -> None:
    """With the answer that the contract has for that."""
    response = case.call(base_url=simulator.endpoint)

    case.validate_response(response, checks=[status_code_conformance, response_schema_conformance])
    assert response.status_code == 401


def test_the_contract_says_how_well_it_is_known() -> None:
    """For every operation and every component; what is below them may know better."""
    document = yaml.safe_load(DOCUMENT.read_text())
    operations = [
        operation
        for path in document["paths"].values()
        for method, operation in path.items()
        if method != "parameters"
    ]
    components = [thing for kind in document["components"].values() for thing in kind.values()]

    assert all("x-evidence" in thing for thing in [*operations, *components])
    assert set(marks(document)) == {"code", "docs", "inferred"}


def marks(thing: Any) -> Iterator[str]:
    """Return every mark in a part of the contract."""
    if isinstance(thing, dict):
        if "x-evidence" in thing:
            yield thing["x-evidence"]
        thing = list(thing.values())
    if isinstance(thing, list):
        for part in thing:
            yield from marks(part)
