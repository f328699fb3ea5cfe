"""Whether the first commands that a person pastes can work, one after the other."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def commands(text: str) -> list[str]:
    """Return the commands of a page, in order."""
    blocks = re.findall(r"^```(?:sh|shell)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [line.partition("  #")[0].strip() for line in "".join(blocks).splitlines() if line]


def test_the_readme_initializes_before_it_applies() -> None:
    """Terraform refuses an apply without that."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    section = text.partition("### With your account")[2].partition("\n## ")[0]

    assert [c for c in commands(section) if c.startswith("terraform ")] == [
        *("terraform init", "terraform apply", "terraform output -raw secret_key")
    ]


def test_the_guide_starts_the_program_where_it_has_put_it() -> None:
    """The folder that it installs into is on nobody's path."""
    text = (REPOSITORY / "docs" / "guides" / "getting-started.md").read_text(encoding="utf-8")
    words = [command.split() for command in commands(text)]
    programs = [first for first, *_ in words if "terraform-provider-crusoe" in first]
    (pip,) = (first for first, *_ in words if first.endswith("/pip"))
    (into,) = (rest[1] for first, *rest in words if first == "unzip" and rest[0] == "-d")

    known = {f"{pip.removesuffix('pip')}terraform-provider-crusoe", pip}
    known.add(f"{into}/terraform-provider-crusoe_v0.1.0")
    assert set(programs) == known
