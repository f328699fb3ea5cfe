"""What the documentation says of the code: the walk, the length of the way, and that of files."""

import ast
import re
from pathlib import Path

import pytest

import passage

REPOSITORY = Path(__file__).parents[2]
PROVIDER = REPOSITORY / "provider"
LONGEST_FILE = 300
LONGEST_WAY = 15


@pytest.fixture(scope="module")
def passages() -> dict[str, passage.Passage]:
    """What each RPC comes by when one token is created."""
    return passage.measure()


@pytest.fixture(scope="module")
def walk() -> dict[str, list[str]]:
    """The steps of the walk in CONTRIBUTING, with the modules that each names, in order."""
    text = (REPOSITORY / "CONTRIBUTING.md").read_text()
    section = text.partition("## What happens when I apply one token")[2].partition("\n## ")[0]
    steps = re.findall(
        r"^\d\. \*\*(\w+)\.\*\*(.*?)(?=^\d\. |^\n|\Z)", section, re.MULTILINE | re.DOTALL
    )
    return {
        name: [file.replace("/", ".") for file in re.findall(r"`(\w+(?:/\w+)*)\.py`", step)]
        for name, step in steps
    }


def test_a_create_passes_through_few_modules(passages: dict[str, passage.Passage]) -> None:
    """The ends of the way are there, so it was measured whole."""
    way = passages["ApplyResourceChange"].way

    assert (way[0], way[-1]) == ("providerserver.services", "api.network")
    assert len(way) <= LONGEST_WAY


def test_the_architecture_tells_how_many(passages: dict[str, passage.Passage]) -> None:
    """Both numbers, and their sum."""
    text = (REPOSITORY / "docs" / "development" / "architecture.md").read_text()
    through = re.search(r"\*\*(\d+) modules are passed through", text)
    beside = re.search(r"\*\*(\d+) more are asked beside it\*\*, (\d+) in all", text)
    assert through is not None
    assert beside is not None

    found = passages["ApplyResourceChange"]
    assert [int(n) for n in (*through.groups(), *beside.groups())] == [
        *(len(found.way), len(found.beside), len(found.modules))
    ]


def test_the_walk_needs_no_jump_back(walk: dict[str, list[str]]) -> None:
    """No module is named twice."""
    named = [module for step in walk.values() for module in step]

    assert len(named) == len(set(named))


def test_the_walk_names_the_way_in_order(
    walk: dict[str, list[str]], passages: dict[str, passage.Passage]
) -> None:
    """All of it, wherever a module comes by first."""
    way = passages["ApplyResourceChange"].way
    named = [module for step in walk.values() for module in step]

    assert [module for module in named if module in way] == way


def test_each_step_of_the_walk_names_what_runs_in_it(
    walk: dict[str, list[str]], passages: dict[str, passage.Passage]
) -> None:
    """The start is no RPC; whatever is tested starts the plugin."""
    assert list(walk) == ["Start", *passages]
    for name, found in passages.items():
        assert walk[name]
        assert set(walk[name]) <= found.modules, name


def test_a_long_file_says_why() -> None:
    """At its top, where whoever opens it looks first."""
    silent = [
        str(file.relative_to(PROVIDER))
        for file in PROVIDER.rglob("*.py")
        if not file.name.endswith("_pb2.py")
        and len((text := file.read_text()).splitlines()) > LONGEST_FILE
        and "\nLonger than other files" not in (ast.get_docstring(ast.parse(text)) or "")
    ]

    assert silent == []
