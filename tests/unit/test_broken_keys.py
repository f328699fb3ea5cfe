"""SSH keys of RSA that have the right form, and numbers in it that no key has.

The library that reads them panics at some. A panic is no `Exception`, and Rust prints its text to
standard error, where Terraform's log takes it from.
"""

import base64
from pathlib import Path

import pyrage
import pytest

from crusoe_provider.provider import encryption_texts
from crusoe_provider.tokens.encryption import Recipients, decrypt, flaw_of
from crusoe_provider.tokens.errors import Flaw, WrongCiphertext, WrongIdentity, WrongRecipient
from support.keys import AGE, AGE_IDENTITY, PLAINTEXT

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
MODULUS = (1 << 2047) | 1
EXPONENT = 65537
ZERO = b"\0"
# Found again wherever it is quoted.
PRIVATE = int.from_bytes(b"a private exponent that nobody may see " * 6)


class Panic(BaseException):
    """As those of Rust: no `Exception`."""


def field(content: bytes) -> bytes:
    """Return a field of the SSH wire format (RFC 4251, section 5)."""
    return len(content).to_bytes(4, "big") + content


def number(value: int) -> bytes:
    """Return a positive number as RFC 4251 has it."""
    return field(value.to_bytes(value.bit_length() // 8 + 1, "big"))


def public_key(modulus: int, exponent: bytes = number(EXPONENT)) -> str:
    """Return an RSA key as the line in `id_rsa.pub`."""
    blob = field(b"ssh-rsa") + exponent + number(modulus)
    return f"ssh-rsa {base64.b64encode(blob).decode()} me@host"


def private_key(p: int, q: int) -> str:
    """Return an RSA key as the file `id_rsa` has it, without a passphrase."""
    numbers = (MODULUS, EXPONENT, PRIVATE, 1, p, q)
    private = b"once" * 2 + field(b"ssh-rsa") + b"".join(map(number, numbers)) + field(b"me@host")
    private += bytes(range(1, 1 + -len(private) % 8))
    public = field(b"ssh-rsa") + number(EXPONENT) + number(MODULUS)
    head = b"openssh-key-v1\0" + field(b"none") + field(b"none") + field(b"")
    blob = head + (1).to_bytes(4, "big") + field(public) + field(private)
    return (
        "-----BEGIN OPENSSH PRIVATE KEY-----\n"
        f"{base64.encodebytes(blob).decode()}"
        "-----END OPENSSH PRIVATE KEY-----\n"
    )


def test_these_keys_have_the_right_form() -> None:
    """Or they would be refused before anything looks at their numbers."""
    assert flaw_of(public_key(MODULUS)) is None
    with pytest.raises(WrongCiphertext) as caught:
        decrypt(Recipients([AGE]).encrypt(PLAINTEXT), private_key(7, 11))
    assert caught.value.flaw is Flaw.NO_MATCH


def test_a_recipient_with_an_exponent_of_zero_is_unreadable() -> None:
    """By its place, like any other."""
    recipient = public_key(MODULUS, exponent=field(ZERO))

    assert flaw_of(recipient) is Flaw.UNREADABLE
    with pytest.raises(WrongRecipient) as caught:
        Recipients([AGE, recipient])
    assert (caught.value.index, caught.value.flaw) == (1, Flaw.UNREADABLE)


@pytest.mark.parametrize(("p", "q"), [(0, 7), (7, 0), (1, 1)])
def test_an_identity_with_impossible_primes_is_unreadable(p: int, q: int) -> None:
    """It is the identity that is to blame, whatever the ciphertext is."""
    ciphertext = Recipients([AGE]).encrypt(PLAINTEXT)

    with pytest.raises(WrongIdentity) as caught:
        decrypt(ciphertext, private_key(p, q))

    assert caught.value.flaw is Flaw.UNREADABLE


def test_a_panic_over_a_ciphertext_is_one_that_is_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is known, and the next version of the library may have one."""

    def panic(*_: object) -> bytes:
        raise Panic(PLAINTEXT)

    ciphertext = Recipients([AGE]).encrypt(PLAINTEXT)
    monkeypatch.setattr(pyrage, "decrypt", panic)

    with pytest.raises(WrongCiphertext) as caught:
        decrypt(ciphertext, AGE_IDENTITY)

    assert str(caught.value) == Flaw.UNREADABLE.name


def test_want_of_memory_is_no_flaw_of_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user is told of it as of any other want."""

    def lack(*_: object) -> bytes:
        raise MemoryError

    ciphertext = Recipients([AGE]).encrypt(PLAINTEXT)
    monkeypatch.setattr(pyrage, "decrypt", lack)

    with pytest.raises(MemoryError):
        decrypt(ciphertext, AGE_IDENTITY)


def test_the_text_of_a_panic_holds_nothing_of_the_key(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rust prints it before anybody can catch it; with the stack, if that is asked for."""
    monkeypatch.setenv("RUST_BACKTRACE", "full")
    identity = private_key(0, 7)

    with pytest.raises(WrongIdentity):
        decrypt(Recipients([AGE]).encrypt(PLAINTEXT), identity)

    printed = capfd.readouterr().err
    assert "panicked at" in printed
    lines = [line for line in identity.splitlines() if not line.startswith("-")]
    whole = [str(PRIVATE), f"{PRIVATE:x}", "nobody may see"]
    assert [text for text in (*lines, *whole) if text[:16].lower() in printed.lower()] == []


@pytest.mark.parametrize(
    ("bits", "flaw"),
    [
        (2047, Flaw.UNREADABLE),
        (2048, None),
        (4096, None),
        (4097, Flaw.UNREADABLE),
        (4104, Flaw.UNREADABLE),
    ],
)
def test_an_rsa_key_has_2048_to_4096_bits(bits: int, flaw: Flaw | None) -> None:
    """Shorter ones keep no secret for long, and age refuses longer ones."""
    assert flaw_of(public_key(1 << (bits - 1) | 1)) is flaw


def test_message_and_guides_say_which_lengths_there_are() -> None:
    """Whoever has a key of 8192 bits finds nothing wrong with it otherwise."""
    message = encryption_texts.wrong_recipient(0, Flaw.UNREADABLE).detail
    pages = [GUIDES / f"{name}.md" for name in ("protecting-the-secret", "troubleshooting")]

    for text in (message, *(page.read_text(encoding="utf-8") for page in pages)):
        assert "2048 to 4096 bits" in text
