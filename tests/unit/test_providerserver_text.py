"""Text that is fit to be printed."""

import pytest

from crusoe_provider.providerserver.text import printable, printable_line


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain, with ümlauts and 鍵", "plain, with ümlauts and 鍵"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("Windows\r\nlines", "Windows\nlines"),
        ("red \x1b[31malert\x1b[0m", "red [31malert[0m"),
        ("over\rwritten\x08\x00\x7f\x9b", "overwritten"),
        ("right\u202eto\u2066left\u200f", "righttoleft"),
        ("a\u2028b\u2029c\ufeff", "abc"),
        ("👩\u200d🔧", "👩\u200d🔧"),
        ("half \ud800 a pair", "half ? a pair"),
        ("::error::owned", ": :error::owned"),
        ("fine\n  ::add-mask::x\n::", "fine\n  : :add-mask::x\n: :"),
        ("a::b", "a::b"),
        ("##[command]x ##vso[task]", "## [command]x ##vso [task]"),
        ("\x1b::error::", ": :error::"),
        (":\x00:error::", ": :error::"),
    ],
)
def test_what_does_more_than_appear_is_taken_out(text: str, cleaned: str) -> None:
    """Whoever wrote it: it may come from an API, or from a state."""
    assert printable(text) == cleaned


def test_a_summary_is_one_line() -> None:
    """Terraform prints it beside "Error:"."""
    assert printable_line(" a\n::b\t c ") == "a : :b c"
