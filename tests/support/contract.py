"""The contract in `schemas/`, held against what client and simulator say to each other."""

from functools import cache
from pathlib import Path
from typing import Final

from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse
from werkzeug.wrappers import Request, Response

DOCUMENT: Final = Path(__file__).parents[2] / "schemas" / "crusoe-api.openapi.yaml"

# The contract's server is Crusoe's; the simulator's is anywhere.
_SERVER: Final = "https://api.cloud.crusoe.ai"


@cache
def openapi() -> OpenAPI:
    """Return the contract; reading it takes longer than many checks."""
    return OpenAPI.from_file_path(str(DOCUMENT))


class ContractCheck:
    """Checks each request and its answer; an observer of `crusoe_simulator.api.Api`.

    Attributes:
        violations: What was not as the contract says, in words.
    """

    def __init__(self) -> None:
        self.violations: list[str] = []

    def __call__(self, request: Request, response: Response) -> None:
        """Check one exchange."""
        asked = MockRequest(
            _SERVER,
            request.method.lower(),
            request.path,
            args=request.args.to_dict(),
            headers=dict(request.headers),
            data=request.get_data() or None,
        )
        answered = MockResponse(
            response.get_data(),
            status_code=response.status_code,
            content_type=response.content_type or "",
        )
        try:
            openapi().validate_request(asked)
            openapi().validate_response(asked, answered)
        except OpenAPIError as error:
            cause = error.__cause__ or error
            self.violations.append(f"{request.method} {request.path}: {error!r}: {cause}")
