"""What the API does: for each of its operations a method of that name."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from werkzeug.wrappers import Request, Response

from crusoe_simulator.errors import BadRequest, NotFound
from crusoe_simulator.state import Cloud, Key, Project, User


class Operations:
    """The operations. They raise `crusoe_simulator.errors.ApiFailure`.

    Args:
        cloud: The state.
        understand: Returns what a creation with some body is taken to ask for.
    """

    def __init__(self, cloud: Cloud, understand: Callable[[Any], Any]) -> None:
        self._cloud = cloud
        self._understand = understand

    def organizations(self, user: User, _request: Request) -> Response:
        """List the user's organizations."""
        items = [
            {
                "id": organization.id,
                "name": organization.name,
                "relation": "member",
                "billing": {},
                "features": {},
                "state": "active",
                "state_reason": "",
            }
            for organization in self._cloud.organizations_of(user)
        ]
        return as_json({"items": items})

    def identity(self, user: User, _request: Request) -> Response:
        """Tell who the user is."""
        identity = {"id": user.id, "email": user.email, "name": user.email, "role": "Member"}
        return as_json({"identity": identity})

    def projects(self, user: User, request: Request) -> Response:
        """List the user's projects, or those that the query asks for."""
        organization, name = request.args.get("org_id"), request.args.get("project_name")
        items = [
            _described(project)
            for project in self._cloud.projects_of(user)
            if organization in {None, project.organization_id} and name in {None, project.name}
        ]
        return as_json({"items": items})

    def project(self, user: User, _request: Request, project: str) -> Response:
        """Describe a project of the user."""
        for known in self._cloud.projects_of(user):
            if known.id == project:
                return as_json(_described(known))
        raise NotFound

    def list(self, user: User, _request: Request, org: str) -> Response:
        """List keys."""
        return as_json({"items": [_listed(key) for key in self._cloud.list_keys(user, org)]})

    def create(self, user: User, request: Request, org: str) -> Response:
        """Create a key."""
        try:
            body = json.loads(request.get_data())
        except ValueError:
            raise BadRequest("the body is no JSON") from None
        key = self._cloud.create_key(user, org, self._understand(body))
        return as_json(
            {
                "access_key_id": key.access_key_id,
                "secret_key": key.secret_key,
                "expire_at": key.expire_at,
            }
        )

    def delete(self, user: User, _request: Request, org: str, key: str) -> Response:
        """Delete a key."""
        self._cloud.delete_key(user, org, key)
        return Response(status=HTTPStatus.NO_CONTENT)


def _described(project: Project) -> dict[str, Any]:
    kinds = ("instances", "disks", "snapshots", "images", "vpc_networks")
    return {
        "id": project.id,
        "name": project.name,
        "organization_id": project.organization_id,
        "relation": "owner",
        "resources": {kind: {"count": 0} for kind in kinds},
    }


def _listed(key: Key) -> dict[str, str]:
    return {
        "key_uuid": key.key_uuid,
        "user_id": key.user_id,
        "access_key_id": key.access_key_id,
        "status": key.status,
        "created_at": key.created_at,
        "alias": key.alias,
        "expire_at": key.expire_at,
    }


def as_json(document: Any, status: int = HTTPStatus.OK) -> Response:
    """Return an answer with a JSON document."""
    return Response(json.dumps(document), status=status, content_type="application/json")
