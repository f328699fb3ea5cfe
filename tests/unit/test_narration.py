"""What the demonstration prints."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narration import Narrator, SecretShownError, condensed, shows_colour

SECRET = "s3cr3t/+value"
TEXT = st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]))


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_steps_are_numbered_and_the_rest_is_indented() -> None:
    """So that commands and quoted output can be told from remarks."""
    out = io.StringIO()
    narrator = Narrator(out, colour=False)

    narrator.step("First")
    narrator.say("a\nb")
    narrator.command("terraform init")
    narrator.quote("quoted")
    narrator.step("Second")

    assert out.getvalue() == (
        "\n1. First\n   a\n   b\n   $ terraform init\n   | quoted\n\n2. Second\n"
    )


@given(before=TEXT, after=TEXT)
def test_a_secret_is_never_printed(before: str, after: str) -> None:
    """Wherever it stands in a text."""
    out = io.StringIO()
    narrator = Narrator(out, colour=False)
    narrator.keep_secret("The secret", SECRET)

    for show in (narrator.say, narrator.command, narrator.quote, narrator.step, narrator.failure):
        with pytest.raises(SecretShownError, match=r"^The secret appeared in the output\.$"):
            show(before + SECRET + after)

    assert SECRET not in out.getvalue()


def test_a_secret_is_looked_for_in_what_was_printed_before() -> None:
    """It may be known only after the command that leaked it; what was left out counts, too."""
    narrator = Narrator(io.StringIO(), colour=False)
    narrator.quote(f"shown\n\nNote: You didn't use the -out option {SECRET}")

    with pytest.raises(SecretShownError):
        narrator.keep_secret("The secret", SECRET)


def test_standing_phrases_are_left_out() -> None:
    """With the rest of their paragraph, wherever in it they begin."""
    output = (
        "\nInitializing the backend...\n- Installed crusoe\n"
        "Terraform has created a lock file .terraform.lock.hcl to\nrecord the selections.\n\n"
        "\nPlan: 1 to add.\n\n─────────\n\nNote: You didn't use the -out option to save it.\n"
    )

    assert condensed(output) == "- Installed crusoe\nPlan: 1 to add."


@given(st.lists(TEXT).map("\n".join))
def test_condensing_only_leaves_out(output: str) -> None:
    """The lines that are left are lines of the output, in its order."""
    lines = iter(output.splitlines())

    assert all(kept in lines for kept in condensed(output).splitlines())


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_terminals_get_colours_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], coloured: bool
) -> None:
    """As https://no-color.org has it."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert shows_colour(Terminal()) is coloured
    assert shows_colour(io.StringIO()) is False


def test_colours_do_not_hide_the_text() -> None:
    """Each line begins and ends with its own escape sequence."""
    out = Terminal()

    Narrator(out, colour=True).command("terraform init")

    assert out.getvalue() == "\x1b[1m   $ terraform init\x1b[0m\n"
