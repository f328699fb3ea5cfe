"""The control interface: what a test can do to the simulator from another process.

Paths below `/_simulator`, JSON in and out (Content-Type: application/json), no authentication: the
server listens on loopback only, and answers no web page.

    GET    /_simulator/keys                     all keys, without their secrets
    POST   /_simulator/keys                     {"user": EMAIL, "alias": …} adds one past all rules;
                                                the answer holds its secret
    PATCH  /_simulator/keys/<token ID>          {"status": "disabled", …} changes one
    DELETE /_simulator/keys/<token ID>          removes one
    GET    /_simulator/requests                 the requests so far
    DELETE /_simulator/requests                 forgets them
    POST   /_simulator/faults                   a fault, see `crusoe_simulator.faults.Fault`
    DELETE /_simulator/faults                   ends all faults
    GET    /_simulator/faults/<id>/arrived      returns when a held request has arrived
    GET    /_simulator/faults/<id>/happened     returns when a late request has been carried out
    POST   /_simulator/faults/<id>/release      lets it go on
    POST   /_simulator/clock                    {"advance_seconds": N} moves the time
    GET    /_simulator/dialects                 the dialects in force, and all there are
    PUT    /_simulator/dialects                 {"names": [NAME, …]} speaks these and no others
    POST   /_simulator/list-lag                 {"lists": N} hides new keys from N lists; -1: all
    POST   /_simulator/list-flicker             {"lists": N} hides them from N more, once shown
    POST   /_simulator/keys/<token ID>/hide     {"lists": N} hides one from N lists; -1: all
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import timedelta
from http import HTTPStatus
from threading import Event
from typing import Any, Final

import werkzeug.exceptions as http
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from crusoe_simulator.api import Api, StartResponse
from crusoe_simulator.dialects import TABLE
from crusoe_simulator.faults import Answer, Fault
from crusoe_simulator.speech import Speech
from crusoe_simulator.state import Key, User

PREFIX: Final = "/_simulator"
_LONG_POLLS: Final = 1200
_POLL_SECONDS: Final = 0.05

_ROUTES: Final = Map(
    [
        Rule("/keys", methods=["GET"], endpoint="list_keys"),
        Rule("/keys", methods=["POST"], endpoint="add_key"),
        Rule("/keys/<key_uuid>", methods=["PATCH"], endpoint="change_key"),
        Rule("/keys/<key_uuid>", methods=["DELETE"], endpoint="remove_key"),
        Rule("/keys/<key_uuid>/hide", methods=["POST"], endpoint="hide_key"),
        Rule("/requests", methods=["GET"], endpoint="list_requests"),
        Rule("/requests", methods=["DELETE"], endpoint="forget_requests"),
        Rule("/faults", methods=["POST"], endpoint="add_fault"),
        Rule("/faults", methods=["DELETE"], endpoint="clear_faults"),
        Rule("/faults/<fault_id>/arrived", methods=["GET"], endpoint="wait_arrived"),
        Rule("/faults/<fault_id>/happened", methods=["GET"], endpoint="wait_happened"),
        Rule("/faults/<fault_id>/release", methods=["POST"], endpoint="release"),
        Rule("/clock", methods=["POST"], endpoint="move_clock"),
        Rule("/dialects", methods=["GET"], endpoint="list_dialects"),
        Rule("/dialects", methods=["PUT"], endpoint="set_dialects"),
        Rule("/list-lag", methods=["POST"], endpoint="set_list_lag"),
        Rule("/list-flicker", methods=["POST"], endpoint="set_list_flicker"),
    ]
)


class Control:
    """The WSGI application of the control interface.

    Args:
        api: What it controls.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        request = Request(environ)
        try:
            endpoint, arguments = _ROUTES.bind_to_environ(environ).match()
            handler: Callable[..., Any] = getattr(self, f"_{endpoint}")
            body = _object(request)
            document = handler(body, **arguments)
        except http.HTTPException as error:
            return error.get_response(environ)(environ, start_response)
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            response = _json({"error": repr(error)}, HTTPStatus.BAD_REQUEST)
            return response(environ, start_response)
        return _json(document or {})(environ, start_response)

    def _list_keys(self, _body: Any) -> Any:
        keys = self._api.cloud.keys()
        return {"keys": [_public(key) for key in keys]}

    def _add_key(self, body: Any) -> Any:
        user = self._user(body.pop("user", None))
        key = self._api.cloud.add_key(user, **body)
        return _public(key) | {"secret_key": key.secret_key}

    def _change_key(self, body: Any, key_uuid: str) -> Any:
        return _public(self._api.cloud.change_key(key_uuid, **body))

    def _remove_key(self, _body: Any, key_uuid: str) -> None:
        self._api.cloud.remove_key(key_uuid)

    def _list_requests(self, _body: Any) -> Any:
        return {"requests": [asdict(request) for request in self._api.requests.all()]}

    def _forget_requests(self, _body: Any) -> None:
        self._api.requests.clear()

    def _add_fault(self, body: Any) -> Any:
        if (answer := body.get("answer")) is not None:
            body["answer"] = Answer(**answer)
        return {"id": self._api.faults.add(Fault(**body)).id}

    def _clear_faults(self, _body: Any) -> None:
        self._api.faults.clear()

    def _wait_arrived(self, _body: Any, fault_id: str) -> Any:
        return {"arrived": self._wait_for(fault_id, self._fault(fault_id).arrived)}

    def _wait_happened(self, _body: Any, fault_id: str) -> Any:
        return {"happened": self._wait_for(fault_id, self._fault(fault_id).happened)}

    def _wait_for(self, fault_id: str, event: Event) -> bool:
        # In small steps, so that the end of all faults, as when the server stops, ends this too.
        for _ in range(_LONG_POLLS):
            if event.wait(_POLL_SECONDS) or not self._api.faults.find(fault_id):
                break
        return event.is_set()

    def _release(self, _body: Any, fault_id: str) -> None:
        self._fault(fault_id).release()

    def _move_clock(self, body: Any) -> Any:
        self._api.cloud.clock.advance(timedelta(seconds=body["advance_seconds"]))
        return {"now": self._api.cloud.clock.now().isoformat()}

    def _list_dialects(self, _body: Any) -> Any:
        known = {dialect.name: dialect.about for dialect in TABLE}
        return {"names": self._api.speech.names, "known": known}

    def _set_dialects(self, body: Any) -> Any:
        self._api.speech = Speech(body["names"])
        return {"names": self._api.speech.names}

    def _set_list_lag(self, body: Any) -> None:
        if not body["lists"]:
            self._api.cloud.show_all_keys()
        self._api.cloud.list_lag = int(body["lists"])

    def _set_list_flicker(self, body: Any) -> None:
        self._api.cloud.list_flicker = int(body["lists"])

    def _hide_key(self, body: Any, key_uuid: str) -> None:
        self._api.cloud.hide_key(key_uuid, int(body["lists"]))

    def _fault(self, fault_id: str) -> Fault:
        fault = self._api.faults.find(fault_id)
        if fault is None:
            raise http.NotFound
        return fault

    def _user(self, email: str | None) -> User:
        users = [user for user in self._api.cloud.users if email in {None, user.email}]
        if not users:
            raise ValueError("no such user")
        return users[0]


def _object(request: Request) -> dict[str, Any]:
    content = request.get_data()
    # What the form of a web page sends has another type.
    if content and request.mimetype != "application/json":
        raise http.UnsupportedMediaType("the body must be application/json")
    body = json.loads(content or b"{}")
    if not isinstance(body, dict):
        raise TypeError("the body must be a JSON object")
    return body


def _public(key: Key) -> dict[str, str]:
    return {name: value for name, value in asdict(key).items() if name != "secret_key"}


def _json(document: Any, status: int = HTTPStatus.OK) -> Response:
    return Response(json.dumps(document), status=status, content_type="application/json")
