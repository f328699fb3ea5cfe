"""The provider with a clock that tests can move.

Started as a plugin by Terraform; the file that `TEST_CLOCK_FILE` names holds by how many seconds
its clock differs from the machine's.
"""

import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crusoe_provider.provider.provider import CrusoeProvider
from crusoe_provider.providerserver.serve import serve
from crusoe_provider.providerserver.terraform import Terraform

CLOCK_FILE = "TEST_CLOCK_FILE"


def now() -> datetime:
    """Return the moved time."""
    offset = float(Path(os.environ[CLOCK_FILE]).read_text())
    return datetime.now(UTC) + timedelta(seconds=offset)


def new_provider(stop: threading.Event, terraform: Terraform) -> CrusoeProvider:
    """Return the provider."""
    return CrusoeProvider(stop=stop, environ=os.environ, home=None, terraform=terraform, now=now)


if __name__ == "__main__":
    serve(new_provider)
