"""Secrets encrypted to age recipients, against the vectors of other implementations."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from shutil import which
from typing import Any

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tf.types import Unknown

from crusoe_provider.tokens.encryption import (
    Recipients,
    decrypt,
    flaw_of,
    is_encrypted,
    planned,
    planned_import,
    same_recipients,
)
from crusoe_provider.tokens.errors import (
    Flaw,
    TokenError,
    WrongCiphertext,
    WrongIdentity,
    WrongRecipient,
)
from support.keys import (
    AGE,
    AGE_IDENTITY,
    DOCUMENT,
    PLAINTEXT,
    PROTECTED,
    PROTECTED_IDENTITY,
    RSA,
    SSH,
    SSH_IDENTITY,
    ssh_key,
)

VECTORS = DOCUMENT["vectors"]
OTHER_PAIR = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_what_went_between_implementations_is_read(vector: dict[str, Any]) -> None:
    """Those that this provider has written were read by the implementations that they name."""
    assert decrypt(vector["ciphertext"], vector["identity"]) == PLAINTEXT
    assert [flaw_of(recipient) for recipient in vector["recipients"]] == [None] * len(
        vector["recipients"]
    )


def test_the_vectors_go_both_ways() -> None:
    """From two other implementations, and to them."""
    makers = {vector["encrypted_by"] for vector in VECTORS}
    readers = {reader for vector in VECTORS for reader in vector["decrypted_by"]}

    assert len(makers - {"this provider"}) == 2
    assert readers == makers - {"this provider"}


@pytest.mark.skipif(which("age") is None, reason="age is not installed")
@pytest.mark.parametrize(("key", "identity"), [(AGE, AGE_IDENTITY), (SSH, SSH_IDENTITY)])
def test_age_reads_it(key: str, identity: str, tmp_path: Path) -> None:
    """The program, where there is one."""
    file = tmp_path / "identity"
    file.write_text(f"{identity.strip()}\n")
    file.chmod(0o600)

    done = subprocess.run(
        ["age", "--decrypt", "--identity", file],
        input=Recipients([key]).encrypt(PLAINTEXT),
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == PLAINTEXT


def test_the_result_is_an_age_file_in_its_armour() -> None:
    """Strict about its form, as the format is: 64 columns, padding, a header of version 1."""
    ciphertext = Recipients([AGE]).encrypt(PLAINTEXT)

    first, *lines, last = ciphertext.splitlines()
    assert first == "-----BEGIN AGE ENCRYPTED FILE-----"
    assert last == "-----END AGE ENCRYPTED FILE-----"
    assert {len(line) for line in lines[:-1]} == {64}
    assert len(lines[-1]) <= 64
    content = base64.b64decode("".join(lines), validate=True)
    assert content.startswith(b"age-encryption.org/v1\n-> X25519 ")
    assert PLAINTEXT.encode() not in content
    assert is_encrypted(ciphertext)


def test_each_recipient_reads_it_and_nobody_else() -> None:
    """Whichever of the keys one has."""
    ciphertext = Recipients([AGE, SSH, RSA]).encrypt(PLAINTEXT)

    for identity in (AGE_IDENTITY, SSH_IDENTITY):
        assert decrypt(ciphertext, identity) == PLAINTEXT
    with pytest.raises(WrongCiphertext) as caught:
        decrypt(Recipients([OTHER_PAIR]).encrypt(PLAINTEXT), AGE_IDENTITY)
    assert caught.value.flaw is Flaw.NO_MATCH


@pytest.mark.parametrize(
    "spelling",
    [f" {AGE}\n", AGE.upper(), f"{SSH}\n", " ".join(SSH.split()[:2]), "   ".join(SSH.split())],
)
def test_a_recipient_may_be_spelt_as_files_have_it(spelling: str) -> None:
    """With a line feed at its end, in capitals, with a comment or without."""
    assert flaw_of(spelling) is None


@pytest.mark.parametrize(
    ("recipient", "flaw"),
    [
        (None, Flaw.EMPTY),
        ("", Flaw.EMPTY),
        (" \n", Flaw.EMPTY),
        (AGE_IDENTITY, Flaw.IDENTITY),
        (AGE_IDENTITY.lower(), Flaw.IDENTITY),
        (f"# public key: {AGE}\n{AGE_IDENTITY}", Flaw.IDENTITY),
        (SSH_IDENTITY, Flaw.IDENTITY),
        ("AGE-PLUGIN-YUBIKEY-1QQQQ", Flaw.IDENTITY),
        (f"{AGE}\n{AGE}", Flaw.SEVERAL),
        (f"{AGE[:-1]}{'q' if AGE[-1] != 'q' else 'p'}", Flaw.UNREADABLE),
        (AGE[:-3], Flaw.UNREADABLE),
        (SSH.replace("AAAA", "AAA", 1), Flaw.UNREADABLE),
        ("ssh-rsa AAAA", Flaw.UNREADABLE),
        (f"no-pty {SSH}", Flaw.UNREADABLE),
        ("nobody@example.com", Flaw.UNREADABLE),
        (
            "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t",
            Flaw.UNSUPPORTED,
        ),
        ("ecdsa-sha2-nistp256 AAAAE2VjZHNh me@host", Flaw.UNSUPPORTED),
        ("sk-ssh-ed25519@openssh.com AAAAGnNr me@host", Flaw.UNSUPPORTED),
    ],
)
def test_what_is_no_recipient_is_told_apart(recipient: str | None, flaw: Flaw) -> None:
    """By what the user can do about it."""
    assert flaw_of(recipient) is flaw


@pytest.mark.parametrize(
    ("recipient", "flaw"),
    [
        (None, Flaw.EMPTY),
        (AGE_IDENTITY, Flaw.IDENTITY),
        (f"{AGE}\n{AGE}", Flaw.SEVERAL),
        ("nobody@example.com", Flaw.UNREADABLE),
        ("ecdsa-sha2-nistp256 AAAAE2VjZHNh me@host", Flaw.UNSUPPORTED),
    ],
)
def test_a_wrong_recipient_is_named_by_its_place(recipient: str | None, flaw: Flaw) -> None:
    """It is not quoted: it may be a private key."""
    with pytest.raises(WrongRecipient) as caught:
        Recipients([AGE, SSH, recipient])

    assert (caught.value.index, caught.value.flaw) == (2, flaw)
    assert str(caught.value) == f"recipient 2: {flaw.name}"


def test_a_short_rsa_key_is_no_recipient() -> None:
    """It would keep no secret for long."""
    assert flaw_of(ssh_key("rsa", bits=1024).public) is Flaw.UNREADABLE


OLDER_PROTECTED = ssh_key("rsa", passphrase=b"a passphrase")


@pytest.mark.parametrize(
    ("public", "private"), [(PROTECTED, PROTECTED_IDENTITY), OLDER_PROTECTED], ids=["new", "older"]
)
def test_an_ssh_key_with_a_passphrase_is_said_to_have_one(public: str, private: str) -> None:
    """In both forms. Its public key is a good recipient: `age -d` asks for the passphrase."""
    assert flaw_of(public) is None
    with pytest.raises(WrongIdentity) as caught:
        decrypt(Recipients([public]).encrypt(PLAINTEXT), private)
    assert caught.value.flaw is Flaw.PASSPHRASE


@pytest.mark.parametrize(
    ("identity", "flaw"),
    [
        ("", Flaw.EMPTY),
        ("# created: 2026-11-24\n", Flaw.EMPTY),
        (AGE, Flaw.RECIPIENT),
        (SSH, Flaw.RECIPIENT),
        (AGE_IDENTITY[:-1], Flaw.UNREADABLE),
        (SSH_IDENTITY.replace("b3Blbn", "b3Blbm", 1), Flaw.UNREADABLE),
        ("hunter2hunter2", Flaw.UNREADABLE),
        ("AGE-PLUGIN-YUBIKEY-1QQQQ", Flaw.UNSUPPORTED),
        (ssh_key("ecdsa").private, Flaw.UNSUPPORTED),
    ],
)
def test_what_is_no_identity_is_told_apart(identity: str, flaw: Flaw) -> None:
    """By what the user can do about it."""
    with pytest.raises(WrongIdentity) as caught:
        decrypt(Recipients([AGE]).encrypt(PLAINTEXT), identity)

    assert caught.value.flaw is flaw


def test_the_file_of_age_keygen_is_an_identity() -> None:
    """As it is, comments and all; and any of its identities may be the right one."""
    file = f"# created: 2026-11-24\n# public key: {AGE}\n{AGE_IDENTITY}\n"

    assert decrypt(Recipients([AGE]).encrypt(PLAINTEXT), file) == PLAINTEXT


@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        (lambda _: "", Flaw.EMPTY),
        (lambda _: "a secret in the clear", Flaw.UNREADABLE),
        (lambda text: text.replace("\n", "\n\n", 3), Flaw.UNREADABLE),
        (lambda text: text[: len(text) // 2], Flaw.UNREADABLE),
        (lambda text: text.replace("YWdl", "YWdm", 1), Flaw.UNREADABLE),
    ],
)
def test_a_damaged_ciphertext_is_told_from_somebody_elses(change: Any, flaw: Flaw) -> None:
    """So that nobody looks for another key in vain."""
    with pytest.raises(WrongCiphertext) as caught:
        decrypt(change(Recipients([AGE]).encrypt(PLAINTEXT)), AGE_IDENTITY)

    assert caught.value.flaw is flaw


def test_a_ciphertext_of_something_else_than_text_is_no_secrets() -> None:
    """Somebody has encrypted a file to the same key."""
    ciphertext = pyrage.encrypt(b"\xff\xfe", [pyrage.x25519.Recipient.from_str(AGE)], armored=True)

    with pytest.raises(WrongCiphertext) as caught:
        decrypt(ciphertext.decode(), AGE_IDENTITY)

    assert caught.value.flaw is Flaw.UNREADABLE


def test_a_ciphertext_may_have_passed_through_files() -> None:
    """With blank lines around it and with the line ends of another system."""
    ciphertext = Recipients([AGE]).encrypt(PLAINTEXT)

    assert decrypt(f"\n{ciphertext.strip()}", AGE_IDENTITY) == PLAINTEXT
    assert decrypt(ciphertext.replace("\n", "\r\n"), AGE_IDENTITY) == PLAINTEXT


@pytest.mark.parametrize(
    ("some", "others", "same"),
    [
        ([AGE, SSH], [SSH, AGE], True),
        ([AGE], [AGE.upper(), f"{AGE}\n"], True),
        ([SSH], [f"{' '.join(SSH.split()[:2])} another comment"], True),
        ([AGE], [AGE, SSH], False),
        ([AGE], [OTHER_PAIR], False),
        ([], [AGE], False),
        ([AGE, Unknown], [Unknown, f"{AGE}\n"], True),
        ([AGE, None], [AGE], False),
    ],
)
def test_keys_are_compared_and_not_their_spelling(
    some: list[Any], others: list[Any], same: bool
) -> None:
    """A comment or an order is no reason for a new token."""
    assert same_recipients(some, others) is same


# -- Where a secret is kept ------------------------------------------------------------------------


@pytest.mark.parametrize(("recipients", "secret"), [([], None), ([], PLAINTEXT), ([AGE], None)])
def test_without_recipients_or_secret_nothing_is_encrypted(
    recipients: list[str], secret: str | None
) -> None:
    """A token that was imported without its secret has none to encrypt."""
    assert Recipients(recipients).kept(secret) == {
        "secret_key": secret,
        "encrypted_secret_key": None,
    }


def test_with_recipients_no_secret_is_kept_in_the_clear() -> None:
    """The state has what they can read, and nothing else."""
    kept = Recipients([AGE]).kept(PLAINTEXT)

    assert set(kept) == {"secret_key", "encrypted_secret_key"}
    assert kept["secret_key"] is None
    assert decrypt(kept["encrypted_secret_key"], AGE_IDENTITY) == PLAINTEXT


@pytest.mark.parametrize("recipients", [[], [SSH]])
def test_a_secret_that_is_encrypted_already_is_kept_as_it_is(recipients: list[str]) -> None:
    """For whomever it was encrypted to: a second time, nobody could use it."""
    ciphertext = Recipients([AGE]).encrypt(PLAINTEXT)

    assert Recipients(recipients).kept(ciphertext.strip()) == {
        "secret_key": None,
        "encrypted_secret_key": ciphertext,
    }


@pytest.mark.parametrize(
    ("encrypt_to", "clear", "encrypted"),
    [
        (None, Unknown, None),
        ([], Unknown, None),
        ([AGE], None, Unknown),
        ([AGE, Unknown], None, Unknown),
        (Unknown, Unknown, Unknown),
    ],
)
def test_a_plan_says_where_the_secret_will_be(
    encrypt_to: Any, clear: object, encrypted: object
) -> None:
    """Not what it is; an imported one in the clear goes the same way as that of a new token."""
    expected = {"secret_key": clear, "encrypted_secret_key": encrypted}

    assert planned(encrypt_to) == expected
    assert planned_import(PLAINTEXT, encrypt_to) == expected


@pytest.mark.parametrize("encrypt_to", [None, [], [AGE], Unknown])
def test_an_imported_secret_that_is_encrypted_already_is_planned_as_such(encrypt_to: Any) -> None:
    """Whatever the configuration says: the apply keeps it as it is."""
    ciphertext = Recipients([SSH]).encrypt(PLAINTEXT).strip()

    assert planned_import(ciphertext, encrypt_to) == {
        "secret_key": None,
        "encrypted_secret_key": Unknown,
    }


@given(st.text(), st.text())
def test_nothing_makes_it_fail_in_another_way(ciphertext: str, key: str) -> None:
    """Whatever it is given, and no error quotes it."""
    flaw_of(key)
    for text in (ciphertext, f"-----BEGIN AGE ENCRYPTED FILE-----\n{ciphertext}"):
        for identity in (key, f"AGE-SECRET-KEY-1{key}", AGE_IDENTITY):
            with pytest.raises(TokenError) as caught:
                decrypt(text, identity)
            assert str(caught.value) in Flaw.__members__


def test_the_start_of_the_plugin_does_not_load_it() -> None:
    """Nobody waits for what they do not use."""
    code = (
        "import sys, crusoe_provider.provider.provider\n"
        "from crusoe_provider.provider.validators import check_recipients\n"
        "from tf.utils import Diagnostics\n"
        "for absent in (None, []): check_recipients(Diagnostics(), {'encrypt_to': absent})\n"
        "print([name for name in sys.modules if 'pyrage' in name])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert json.loads(done.stdout) == []
