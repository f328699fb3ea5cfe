"""Projects, which Crusoe's own provider asks for before anything else."""

from typing import Any
from urllib.parse import urlencode

import pytest

from crusoe_simulator.faults import Answer, Fault
from crusoe_simulator.state import User
from support.signed_requests import Reply, send
from support.simulator_fixtures import Crusoe


def projects(crusoe: Crusoe, user: User | None = None, **query: str) -> Any:
    path = "/organizations/projects"
    target = f"{path}?{urlencode(sorted(query.items()))}" if query else path
    return send(crusoe.simulator, user or crusoe.user, "GET", target).document["items"]


def project(crusoe: Crusoe, project_id: str, user: User | None = None) -> Reply:
    path = f"/organizations/projects/{project_id}"
    return send(crusoe.simulator, user or crusoe.user, "GET", path)


def test_an_organization_has_one_project(crusoe: Crusoe) -> None:
    """The only one is what a client without any setting takes."""
    (listed,) = projects(crusoe)

    assert (listed["organization_id"], listed["name"]) == (crusoe.organization.id, "default")
    assert projects(crusoe) == [listed]
    assert project(crusoe, listed["id"]).document == listed


def test_a_project_can_be_looked_for(crusoe: Crusoe) -> None:
    """By organization, by name, or both."""
    cloud = crusoe.simulator.cloud
    elsewhere = cloud.add_organization("elsewhere")
    user = cloud.add_user("both@x", crusoe.organization, elsewhere)

    assert len(projects(crusoe, user)) == 2
    assert [p["organization_id"] for p in projects(crusoe, user, org_id=elsewhere.id)] == [
        elsewhere.id
    ]
    assert len(projects(crusoe, user, project_name="default")) == 2
    assert len(projects(crusoe, user, org_id=elsewhere.id, project_name="default")) == 1
    assert projects(crusoe, user, project_name="other") == []


@pytest.mark.parametrize("project_id", ["none", "of a stranger"])
def test_other_projects_are_not_there(crusoe: Crusoe, project_id: str) -> None:
    cloud = crusoe.simulator.cloud
    stranger = cloud.add_user("stranger@x", cloud.add_organization("elsewhere"))
    if project_id != "none":
        (theirs,) = projects(crusoe, stranger)
        project_id = theirs["id"]

    assert project(crusoe, project_id).status == 404


def test_faults_strike_them_too(crusoe: Crusoe) -> None:
    """By the names of the operations."""
    crusoe.simulator.faults.add(Fault("projects", answer=Answer(503, '{"items": 1}')))
    crusoe.simulator.faults.add(Fault("project", answer=Answer(500, "{}")))

    assert (projects(crusoe), project(crusoe, "x").status) == (1, 500)
