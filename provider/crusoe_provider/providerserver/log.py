"""Logging in the form that Terraform's own log takes over: JSON lines on stderr.

go-plugin reads a plugin's stderr; a JSON line with `@level`, `@message` and `@module` becomes an
entry of Terraform's log with that level, and its other members become fields. Without `TF_LOG` or
`TF_LOG_PROVIDER` Terraform drops everything, so only warnings and errors are written then.
"""

import json
import logging
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import IO, Any, Final

TRACE: Final = 5
"""Terraform's finest level; Python's logging has no name for it."""

_REDACTED: Final = "(redacted)"
_LEVELS: Final = {
    "TRACE": TRACE,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "OFF": logging.WARNING,
    # TF_LOG=JSON asks for everything, in another form on Terraform's side.
    "JSON": TRACE,
}
# The names of hclog, whatever logging calls its levels.
_HCLOG_NAMES: Final = (
    (logging.ERROR, "error"),
    (logging.WARNING, "warn"),
    (logging.INFO, "info"),
    (logging.DEBUG, "debug"),
)
_STANDARD_FIELDS: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class Redactor:
    """Knows the secrets of this process and takes them out of what is logged.

    Every sensitive value that passes the protocol is registered, and what else the provider knows
    (see `Provider.hide_with`), so that no line of code has to remember to keep it out of a log.
    """

    # Shorter values would blank out ordinary words.
    _SHORTEST: Final = 4

    def __init__(self) -> None:
        self._secrets: frozenset[str] = frozenset()

    def hide(self, secret: str) -> None:
        """Take note of a secret."""
        if len(secret) >= self._SHORTEST:
            self._secrets |= {secret}

    def clean(self, text: str) -> str:
        """Return `text` with everything replaced that belongs to a known secret."""
        spans = sorted(span for secret in self._secrets for span in _spans(text, secret))
        cleaned, position = [], 0
        while spans:
            start, end = spans.pop(0)
            while spans and spans[0][0] < end:  # they overlap
                end = max(end, spans.pop(0)[1])
            cleaned += [text[position:start], _REDACTED]
            position = end
        return "".join([*cleaned, text[position:]])

    def clean_value(self, value: Any) -> Any:
        """Return `value` ready for JSON, every text in it cleaned.

        That is done before it is encoded: JSON writes a quote, a backslash or a line end of a
        secret in another way.
        """
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {self.clean(str(k)): self.clean_value(v) for k, v in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.clean_value(item) for item in value]
        return self.clean(str(value))


def _spans(text: str, secret: str) -> Iterator[tuple[int, int]]:
    start = text.find(secret)
    while start >= 0:
        yield start, start + len(secret)
        start = text.find(secret, start + 1)


class TerraformLogFormatter(logging.Formatter):
    """Formats a record as one line of hclog's JSON; `extra` fields become members."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its line feed."""
        message = record.getMessage()
        if record.exc_info and record.exc_info[0]:
            # Its text may quote a secret; its kind cannot.
            message = f"{message} ({record.exc_info[0].__name__})"
        created = datetime.fromtimestamp(record.created, UTC)
        entry = {
            "@level": _hclog_name(record.levelno),
            "@message": message,
            "@module": f"provider.{record.name}",
            "@timestamp": created.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        }
        entry |= {k: v for k, v in vars(record).items() if k not in _STANDARD_FIELDS}
        return json.dumps(self._redactor.clean_value(entry), ensure_ascii=False)


def configure_logging(
    environ: Mapping[str, str],
    redactor: Redactor,
    stream: IO[str] | None = None,
    *,
    packages: Iterable[str] = (),
) -> None:
    """Send this process's log to `stream` (stderr) at the level that Terraform's variables ask for.

    Args:
        environ: `TF_LOG_PROVIDER` is looked at first, then `TF_LOG`.
        redactor: Cleans every line.
        stream: For tests.
        packages: The packages whose log is written at that level, beside this one. The chatter of
            other libraries (the URL of every request, for one) would only repeat theirs.
    """
    wanted = environ.get("TF_LOG_PROVIDER") or environ.get("TF_LOG") or "OFF"
    # Terraform treats a level that it does not know as TRACE.
    level = _LEVELS.get(wanted.upper(), TRACE)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(TerraformLogFormatter(redactor))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for package in {__name__, *packages}:
        logging.getLogger(package.partition(".")[0]).setLevel(level)


def _hclog_name(level: int) -> str:
    return next((name for limit, name in _HCLOG_NAMES if level >= limit), "trace")
