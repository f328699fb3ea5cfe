"""The simulated Crusoe Cloud, and Terraform in front of it.

The environment variable `SIMULATOR_DIALECT` holds the dialects that the simulator speaks in every
test, separated by commas; or `each`, with which every test is run once for each dialect there is.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from crusoe_simulator.dialects import NAMES
from crusoe_simulator.server import Simulator
from crusoe_simulator.speech import names_in
from crusoe_simulator.state import Organization, User
from harness.sandbox import variables_of
from harness.workspace import Workspace
from support.contract import ContractCheck

DIALECT = "SIMULATOR_DIALECT"


@dataclass(frozen=True, slots=True)
class Crusoe:
    """A simulator with one organization and one user.

    Attributes:
        simulator: The simulator.
        organization: The organization.
        user: The user, who belongs to it.
    """

    simulator: Simulator
    organization: Organization
    user: User

    def variables(self, user: User | None = None) -> dict[str, str]:
        """Return the environment with which the provider acts as a user; the one user if none."""
        return variables_of(user or self.user, self.simulator)

    @property
    def keys_path(self) -> str:
        """The path of the organization's keys, below the API's base path."""
        return f"/organizations/{self.organization.id}/storage/s3/keys"

    def aliases(self) -> list[str]:
        """Return the aliases of all keys there are, sorted."""
        keys = self.simulator.cloud.keys()
        return sorted(key.alias for key in keys)


@pytest.fixture(params=NAMES if os.environ.get(DIALECT) == "each" else None)
def crusoe(request: pytest.FixtureRequest) -> Iterator[Crusoe]:
    """A simulator; what goes to and fro is held against the contract. See the marker `s3`.

    The contract is checked before a dialect is applied: dialects break it on purpose.
    """
    check = ContractCheck()
    s3 = request.node.get_closest_marker("s3") is not None
    dialects = names_in(getattr(request, "param", os.environ.get(DIALECT, "")))
    with Simulator(s3=s3, dialects=dialects) as simulator:
        simulator.api.observers.append(check)
        organization = simulator.cloud.add_organization("acme")
        user = simulator.cloud.add_user("dev@acme.example", organization)
        yield Crusoe(simulator, organization, user)
    assert check.violations == []


@pytest.fixture
def workspace(crusoe: Crusoe, executable: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A Terraform with our plugin in place, acting as the simulator's one user."""
    with Workspace(tmp_path, plugin=executable, variables=crusoe.variables()) as workspace:
        yield workspace
