"""How the commands in examples and pages take secrets: by the environment or standard input.

The arguments of a process are for every user of the machine to see.
"""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
FILES = sorted(
    file
    for root in (REPOSITORY / "docs", REPOSITORY / "examples")
    for file in root.rglob("*")
    if file.is_file() and file.suffix not in {".svg", ".png", ".gif"}
)
SECRET = r"\w*(?:secret|passw|passphrase|identity|private)\w*"
AS_ARGUMENT = re.compile(
    # --body "$SECRET_KEY", --value=${password}, -var "identity=$IDENTITY"
    rf'--?[a-z][\w-]*[= ]["\']?(?:\w+=)?\$\{{?{SECRET}'
    # "${crusoe_storage_token.ci.secret_key}" in the command of a provisioner
    rf"|^ *command +=.*\$\{{[^}}]*{SECRET}"
    # --body "$(terraform output -raw secret_key)"
    rf'|--?[a-z][\w-]*[= ]["\']?\$\([^)]*output[^)]* {SECRET}',
    re.IGNORECASE | re.MULTILINE,
)


def unescaped(text: str) -> str:
    """Return a text with its quotes as the shell has them."""
    return text.replace('\\"', '"')


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r'command = "gh secret set KEY --body \"$SECRET_KEY\""', True),
        ("vault kv put --value=${SECRET_KEY}", True),
        ('terraform apply -var "age_identity=$IDENTITY"', True),
        ('command = "tool ${crusoe_storage_token.ci.secret_key}"', True),
        ('gh secret set KEY --body "$(terraform output -raw secret_key)"', True),
        (r'command = "printf %s \"$SECRET_KEY\" | gh secret set KEY"', False),
        ('export AWS_SECRET_ACCESS_KEY="$(terraform output -raw secret_key)"', False),
        ("SECRET_KEY = crusoe_storage_token.ci.secret_key", False),
    ],
)
def test_an_argument_is_told_from_other_ways(text: str, found: bool) -> None:
    """Those of which the next test is to find none, and those that people may copy."""
    assert bool(AS_ARGUMENT.search(unescaped(text))) is found


def test_no_example_has_a_secret_in_an_argument() -> None:
    """People run what stands there."""
    found = {
        str(file.relative_to(REPOSITORY)): match.group()
        for file in (*FILES, *REPOSITORY.glob("*.md"))
        if (match := AS_ARGUMENT.search(unescaped(file.read_text(encoding="utf-8"))))
    }

    assert found == {}
