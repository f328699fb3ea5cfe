"""Files of Terraform's own, as far as they say which plugin it takes.

The CLI configuration and the lock file are written in two versions of HCL, of which blocks, texts,
lists and numbers are read here: these files have nothing else, but for what nobody writes into
them.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

_TOKEN: Final = re.compile(
    r"""(?P<skip>\s+|\#[^\n]*|//[^\n]*|/\*.*?\*/)"""
    r"""|(?P<text>"(?:[^"\\\n]|\\.)*")"""
    r"""|(?P<word>-?\w[\w.-]*)"""
    r"""|(?P<sign>[{}\[\]=,:])""",
    re.DOTALL,
)
_SCALARS: Final = {"true": True, "false": False, "null": None}


class UnreadableFileError(ValueError):
    """A file has something in it that is not read here; the text says in which line."""


class Block(NamedTuple):
    """A block, or an attribute whose value is a map: both are written with braces.

    Attributes:
        kind: Its first word.
        labels: The others.
        body: What it holds.
    """

    kind: str
    labels: tuple[str, ...]
    body: "Body"


@dataclass(frozen=True)
class Body:
    """What stands between two braces, or in a file.

    Attributes:
        values: The attributes.
        blocks: The blocks, in order.
    """

    values: Mapping[str, Any]
    blocks: tuple[Block, ...]

    def of_kind(self, kind: str) -> list[Block]:
        """Return the blocks of one kind."""
        return [block for block in self.blocks if block.kind == kind]


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


_END: Final = _Token("end", "", 0)


def parse(text: str) -> Body:
    """Return what a file says.

    Raises:
        UnreadableFileError: It has something in it that is not read here.
    """
    return _Parser(list(_tokens(text))).body(_END)


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        line = text.count("\n", 0, place) + 1
        if match is None or match.lastgroup is None:
            raise UnreadableFileError(f"line {line}")
        if match.lastgroup != "skip":
            yield _Token(match.lastgroup, match[0], line)
        place = match.end()


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._place = 0

    def body(self, end: _Token) -> Body:
        values: dict[str, Any] = {}
        blocks: list[Block] = []
        while not self._is(end):
            if self._skip(","):
                continue
            words = [self._name()]
            while self._peek().kind in {"text", "word"}:
                words.append(self._name())
            if self._skip("=") or self._skip(":"):
                value = self._value()
                if isinstance(value, Body):
                    blocks.append(Block(words[0], (), value))
                else:
                    values[words[0]] = value
            else:
                self._expect("{")
                kind, *labels = words
                blocks.append(Block(kind, tuple(labels), self._braces()))
        return Body(values, tuple(blocks))

    def _braces(self) -> Body:
        body = self.body(_Token("sign", "}", 0))
        self._expect("}")
        return body

    def _value(self) -> Any:
        if self._skip("{"):
            return self._braces()
        if self._skip("["):
            items = []
            while not self._skip("]"):
                items.append(self._value())
                self._skip(",")
            return items
        token = self._next()
        if token.kind == "text":
            return self._unquoted(token)
        if token.kind != "word":
            raise UnreadableFileError(f"line {token.line}")
        return _SCALARS.get(token.text, token.text)

    def _name(self) -> str:
        token = self._next()
        if token.kind not in {"text", "word"}:
            raise UnreadableFileError(f"line {token.line}")
        return self._unquoted(token) if token.kind == "text" else token.text

    def _unquoted(self, token: _Token) -> str:
        try:
            text = json.loads(token.text)
        except ValueError:
            raise UnreadableFileError(f"line {token.line}") from None
        return str(text)

    def _peek(self) -> _Token:
        return self._tokens[self._place] if self._place < len(self._tokens) else _END

    def _is(self, token: _Token) -> bool:
        here = self._peek()
        return (here.kind, here.text) == (token.kind, token.text)

    def _next(self) -> _Token:
        token = self._peek()
        if token is _END:
            raise UnreadableFileError("its end")
        self._place += 1
        return token

    def _skip(self, sign: str) -> bool:
        found = self._is(_Token("sign", sign, 0))
        self._place += found
        return found

    def _expect(self, sign: str) -> None:
        if not self._skip(sign):
            raise UnreadableFileError(
                f"line {self._peek().line}" if self._peek().line else "its end"
            )
