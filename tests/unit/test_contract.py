"""The contract, the check that holds others to it, and the provider's client held to it."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from openapi_spec_validator import validate
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response

from crusoe_provider.api.client import CrusoeClient
from crusoe_provider.api.deletion import DeletionAnswer
from crusoe_provider.api.endpoint import Endpoint
from crusoe_provider.api.errors import ApiError
from crusoe_provider.api.settings import Settings
from support.contract import DOCUMENT, ContractCheck
from support.simulator_fixtures import Crusoe

KEYS = "/v1/organizations/acme/storage/s3/keys"
SIGNED = {"Authorization": "Bearer 1.0:CKID:c2ln", "X-Crusoe-Timestamp": "2026-11-23T12:00:00Z"}
KEY = {
    "key_uuid": "f5705300-79f8-4686-9b9f-02496a053bc0",
    "user_id": "e7bed65d-e918-4fab-921c-03b8db94aa7b",
    "access_key_id": "CKIA493K6LOVDNNAR4SZ",
    "status": "enabled",
    "created_at": "2026-01-01T00:00:00Z",
}
CREATED = {"access_key_id": "CKIA493K6LOVDNNAR4SZ", "secret_key": "SK"}


def request(
    method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> Request:
    sent = Headers(headers or SIGNED)
    return Request(EnvironBuilder(path=path, method=method, headers=sent, json=body).get_environ())


def answer(document: Any, status: int = 200, content_type: str = "application/json") -> Response:
    return Response(json.dumps(document), status=status, content_type=content_type)


def violations(asked: Request, answered: Response) -> list[str]:
    check = ContractCheck()
    check(asked, answered)
    return check.violations


def test_the_contract_is_valid_openapi() -> None:
    validate(yaml.safe_load(DOCUMENT.read_text()))


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        (request("GET", KEYS), answer({"items": [KEY]})),
        (request("POST", KEYS, {"alias": "a"}), answer(CREATED)),
        (request("DELETE", f"{KEYS}/CKIA"), Response(status=204)),
        (request("DELETE", f"{KEYS}/CKIA"), answer({"code": "404", "message": "none"}, 404)),
    ],
)
def test_what_keeps_the_contract_is_no_violation(asked: Request, answered: Response) -> None:
    assert violations(asked, answered) == []


@pytest.mark.parametrize(
    "asked",
    [
        request("GET", "/v1/organizations"),
        request("PUT", KEYS),
        request("GET", KEYS, headers={"Accept": "*/*"}),
        request("GET", KEYS, headers={"Authorization": SIGNED["Authorization"]}),
        request("POST", KEYS),
        request("POST", KEYS, {"alias": 1}),
        request("POST", KEYS, []),
    ],
    ids=["path", "method", "unsigned", "no-timestamp", "no-body", "alias", "body"],
)
def test_a_request_that_breaks_the_contract_is_noticed(asked: Request) -> None:
    """A check that could not fail would prove nothing."""
    good = answer(CREATED) if asked.method == "POST" else answer({"items": []})

    assert violations(asked, good)


@pytest.mark.parametrize(
    ("method", "answered"),
    [
        ("GET", answer({})),
        ("GET", answer({"items": None})),
        ("GET", answer({"items": [KEY | {"status": "expired"}]})),
        ("GET", answer({"items": [{"access_key_id": "CKIA"}]})),
        ("GET", answer({"items": []}, content_type="text/html")),
        ("GET", answer({"items": []}, 202)),
        ("GET", answer({"code": "404", "message": "none"}, 404)),
        ("GET", answer({"code": 403, "message": "no"}, 403)),
        ("POST", answer(CREATED, 201)),
        ("POST", answer({"access_key_id": "CKIA"})),
    ],
)
def test_an_answer_that_breaks_the_contract_is_noticed(method: str, answered: Response) -> None:
    """Also one whose request was right."""
    asked = request(method, KEYS, {} if method == "POST" else None)

    assert violations(asked, answered)


def test_the_providers_client_and_the_simulator_keep_the_contract(crusoe: Crusoe) -> None:
    """Every operation, and the errors that the rules lead to; `crusoe` holds both sides to it."""
    variables = crusoe.variables()
    settings = Settings(
        endpoint=Endpoint.parse(variables["CRUSOE_API_ENDPOINT"]),
        access_key_id=variables["CRUSOE_ACCESS_KEY_ID"],
        secret_key=variables["CRUSOE_SECRET_KEY"],
        credentials_source="the tests",
    )
    client = CrusoeClient(settings, stop=threading.Event())
    org = crusoe.organization.id

    def refusal(call: Callable[[], object]) -> int:
        with pytest.raises(ApiError) as error:
            call()
        return error.value.status

    try:
        (organization,) = client.organizations()
        identity = client.identity()
        plain = client.create_key(org, alias=None, expire_at=None)
        full = client.create_key(org, alias="ünï", expire_at="2040-01-01T00:00:00Z")
        too_many = refusal(lambda: client.create_key(org, alias="third", expire_at=None))
        listed = {key.access_key_id: key for key in client.list_keys(org)}
        elsewhere = refusal(lambda: client.list_keys("elsewhere"))
        deleted = [client.delete_key(org, plain.access_key_id) for _ in range(2)]
    finally:
        client.close()

    operations = {entry.operation for entry in crusoe.simulator.api.requests.all()}
    assert operations == {"organizations", "identity", "create", "list", "delete"}
    assert organization.id == org
    assert set(listed) == {plain.access_key_id, full.access_key_id}
    assert {key.user_id for key in listed.values()} == {identity.id}
    assert listed[full.access_key_id].alias == "ünï"
    assert (too_many, elsewhere, deleted) == (
        400,
        403,
        [DeletionAnswer.DELETED, DeletionAnswer.NOT_FOUND],
    )
