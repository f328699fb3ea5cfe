"""Foreign text: what a terminal, a CI log and a shell get to see of it."""

import shlex
import subprocess
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crusoe_provider.api.text import is_plain, printable, shell_word


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("so sorry", "so sorry"),
        ("  a \t b\r\nc\u2028d ", "a b c d"),
        ("\x1b[31mred\x1b]8;;https://x\x07", "[31mred]8;;https://x"),
        ("a\u202eb\u2066c\u200bd\ufeff", "abcd"),
        ("a\x9bb\x7f", "ab"),
        ("x\n::error::y", "x : :error: :y"),
        ("::add-mask::y", ": :add-mask: :y"),
        ("##[error]y ##vso[task]z", "# #[error]y # #vso[task]z"),
        ("rpc: a::1", "rpc: a::1"),
        ("ünï ☃", "ünï ☃"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    """One line, nothing hidden, nothing that CI systems obey."""
    assert printable(text) == shown


def test_a_long_text_is_cut_before_it_is_cleaned() -> None:
    """Fifty megabytes of it took half a gigabyte."""
    assert printable("ab" * 25_000_000) == "ab" * 250 + "…"
    assert printable("abc", 3) == "abc"
    assert printable("abcd", 3) == "abc…"


@given(st.text(st.characters()))
def test_any_text_is_one_printable_line(text: str) -> None:
    """And stays the same when it is cleaned once more."""
    shown = printable(text)

    assert "\n" not in shown
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert is_plain(shown) or printable(shown) == shown


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_is_one_word_for_a_shell(text: str) -> None:
    """Whatever an ID of the API holds."""
    assert shlex.split(shell_word(text)) == [printable(text)]


def test_an_id_never_becomes_a_command() -> None:
    """With a real shell."""
    hostile = "x; echo pwned; echo $(echo pwned) `echo pwned` # '"

    run = subprocess.run(  # noqa: S602 - that is what is tested
        f"printf %s {shell_word(hostile)}", shell=True, capture_output=True, text=True, check=True
    )

    assert run.stdout == hostile
