"""How the simulator speaks: the dialects in force, applied to questions and answers."""

import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from werkzeug.wrappers import Response

from crusoe_simulator.dialects import NAMES, TABLE, Spoken


class Speech:
    """The dialects that are spoken together.

    Args:
        names: Their names, in any order.

    Raises:
        ValueError: There is no such dialect, or two exclude each other.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        wanted = set(names)
        if unknown := wanted.difference(NAMES):
            raise ValueError(f"no such dialect: {', '.join(sorted(unknown))}")
        self._dialects = [dialect for dialect in TABLE if dialect.name in wanted]
        taken: dict[str, str] = {}
        for dialect in self._dialects:
            other = taken.setdefault(dialect.subject, dialect.name)
            if other != dialect.name:
                raise ValueError(f"{other} and {dialect.name} exclude each other")

    @property
    def names(self) -> list[str]:
        """Their names, in the order of the table."""
        return [dialect.name for dialect in self._dialects]

    def understand(self, body: Any) -> Any:
        """Return what a creation with this body is taken to ask for."""
        if isinstance(body, dict):
            body = dict(body)
            for dialect in self._dialects:
                if dialect.wish:
                    dialect.wish(body)
        return body

    def pronounce(self, operation: str, response: Response) -> Response:
        """Return an answer to an operation as it is put; an error is put as it is."""
        changes = [d.change for d in self._dialects if d.change and operation in d.operations]
        if not changes or response.status_code >= HTTPStatus.BAD_REQUEST:
            return response
        document = json.loads(response.get_data() or b"null")
        spoken = Spoken(response.status_code, document, response.content_type)
        for change in changes:
            change(spoken)
        body = b"" if spoken.document is None else json.dumps(spoken.document)
        answer = Response(body, status=spoken.status, content_type=spoken.content_type)
        if spoken.content_type is None or spoken.document is None:
            del answer.headers["Content-Type"]
        return answer


def names_in(text: str) -> list[str]:
    """Return the names in a list that is separated by commas."""
    return [name for part in text.split(",") if (name := part.strip())]
