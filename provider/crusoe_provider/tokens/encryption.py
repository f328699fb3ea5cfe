"""Encrypting a secret to those who may read it, and decrypting it again.

The format is that of age, version 1 (https://age-encryption.org/v1), in its armour: a text that
`age -d` and every other implementation reads. `pyrage` does the work. It is imported by the calls
that need it, so that no start of the plugin pays for it.

No error here carries a text of the user's: what was taken for a recipient may be a private key.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypedDict

from tf.types import Unknown

from crusoe_provider.tokens.errors import (
    Flaw,
    TokenError,
    WrongCiphertext,
    WrongIdentity,
    WrongRecipient,
)
from crusoe_provider.tokens.token import is_unknown

if TYPE_CHECKING:
    from pyrage import _Identity, _Recipient

_ARMOUR: Final = "-----BEGIN AGE ENCRYPTED FILE-----"
_PRIVATE_KEY: Final = re.compile(r"AGE-SECRET-KEY-|AGE-PLUGIN-|PRIVATE KEY-----", re.IGNORECASE)
_SSH_PRIVATE_KEY: Final = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")
_PUBLIC_KEY: Final = re.compile(r"age1|(ssh|ecdsa|sk)-", re.IGNORECASE)
# In Bech32 the last "1" ends the prefix, and X25519 recipients have the prefix "age".
_OTHER_AGE_RECIPIENT: Final = re.compile(r"age1\w*1", re.IGNORECASE)
_SSH_KINDS: Final = frozenset({"ssh-ed25519", "ssh-rsa"})
_OTHER_SSH_KIND: Final = re.compile(r"(ssh|ecdsa|sk)-\S+")


class Secrets(TypedDict):
    """A secret as a state or a plan has it: in the clear, or encrypted, or neither."""

    secret_key: Any
    encrypted_secret_key: Any


class Recipients:
    """Those who can read what is encrypted here.

    Args:
        texts: age recipients (`age1…`) and SSH public keys (`ssh-ed25519`, `ssh-rsa`).

    Raises:
        WrongRecipient: One of them is none.
    """

    def __init__(self, texts: Sequence[str | None]) -> None:
        self._keys = [_recipient(index, text) for index, text in enumerate(texts)]

    def encrypt(self, secret: str) -> str:
        """Return a text that any of the recipients can decrypt, another one at each call."""
        import pyrage  # noqa: PLC0415 - see above

        return pyrage.encrypt(secret.encode(), self._keys, armored=True).decode()

    def kept(self, secret: str | None) -> Secrets:
        """Return a secret as a state is to keep it: in the clear if there are no recipients.

        What is encrypted already stays as it is.
        """
        if secret is not None and is_encrypted(secret):
            return {"secret_key": None, "encrypted_secret_key": f"{secret}\n"}
        if secret is None or not self._keys:
            return {"secret_key": secret, "encrypted_secret_key": None}
        return {"secret_key": None, "encrypted_secret_key": self.encrypt(secret)}


def planned(encrypt_to: Any) -> Secrets:
    """Return a secret as a plan has it before it exists: where it will be is known, not what.

    Args:
        encrypt_to: The recipients; they may be unknown, all or some.
    """
    if is_unknown(encrypt_to):
        return {"secret_key": Unknown, "encrypted_secret_key": Unknown}
    if encrypt_to:
        return {"secret_key": None, "encrypted_secret_key": Unknown}
    return {"secret_key": Unknown, "encrypted_secret_key": None}


def planned_import(secret: str, encrypt_to: Any) -> Secrets:
    """Return the secret of an imported token as a plan has it; see `planned` and `Recipients.kept`.

    Args:
        secret: The secret, in the clear or encrypted.
        encrypt_to: The recipients; they may be unknown, all or some.
    """
    if is_encrypted(secret):
        return {"secret_key": None, "encrypted_secret_key": Unknown}
    return planned(encrypt_to)


def flaw_of(recipient: str | None) -> Flaw | None:
    """Return what is wrong with a recipient; `None` if nothing is."""
    try:
        _recipient(0, recipient)
    except WrongRecipient as error:
        return error.flaw
    return None


def same_recipients(some: Sequence[Any], others: Sequence[Any]) -> bool:
    """Say whether two lists name the same keys; order, repetition and comments do not matter.

    Values that are no text yet, such as unknown ones, are compared as they are.
    """
    return _keys(some) == _keys(others)


def may_be_same(known: Sequence[Any], planned: Any) -> bool:
    """Say whether recipients that are not all known yet may turn out to be the known ones.

    Args:
        known: The known ones.
        planned: The others, of which some or all are unknown.
    """
    if is_unknown(planned):
        return True
    return _keys(item for item in planned if not is_unknown(item)) <= _keys(known)


def is_encrypted(text: str) -> bool:
    """Say whether a text is an age file in its armour, by its first line."""
    return text.lstrip().startswith(_ARMOUR)


def decrypt(ciphertext: str, identity: str) -> str:
    """Return the secret in an age file.

    Args:
        ciphertext: The file, in its armour.
        identity: Identities as `age-keygen` writes them (`AGE-SECRET-KEY-1…`, a line each, with
            comments or without), or one SSH private key that has no passphrase.

    Raises:
        WrongIdentity: It is none.
        WrongCiphertext: It is none, it is damaged, or it is for others.
    """
    import pyrage  # noqa: PLC0415 - see above

    identities = _identities(identity)
    if not ciphertext.strip():
        raise WrongCiphertext(Flaw.EMPTY)
    if not is_encrypted(ciphertext):
        raise WrongCiphertext(Flaw.UNREADABLE)
    with _anything_else_as(WrongCiphertext(Flaw.UNREADABLE)):
        try:
            return pyrage.decrypt(ciphertext.strip().encode(), identities).decode()
        except pyrage.DecryptError as error:
            others = "No matching keys" in str(error)
            raise WrongCiphertext(Flaw.NO_MATCH if others else Flaw.UNREADABLE) from None


def _recipient(index: int, text: str | None) -> "_Recipient":
    import pyrage  # noqa: PLC0415 - see above

    if text is None or not text.strip():
        raise WrongRecipient(index, Flaw.EMPTY)
    if _PRIVATE_KEY.search(text):
        raise WrongRecipient(index, Flaw.IDENTITY)
    if len(text.strip().splitlines()) > 1:
        raise WrongRecipient(index, Flaw.SEVERAL)
    key = _key(text)
    kind = key.partition(" ")[0]
    with _anything_else_as(WrongRecipient(index, Flaw.UNREADABLE)):
        try:
            if kind in _SSH_KINDS:
                return pyrage.ssh.Recipient.from_str(key)
            return pyrage.x25519.Recipient.from_str(key)
        except pyrage.RecipientError:
            other = _OTHER_AGE_RECIPIENT.match(key) or (
                _OTHER_SSH_KIND.fullmatch(kind) and kind not in _SSH_KINDS
            )
            raise WrongRecipient(index, Flaw.UNSUPPORTED if other else Flaw.UNREADABLE) from None


def _identities(text: str) -> "list[_Identity]":
    import pyrage  # noqa: PLC0415 - see above

    text = text.strip()
    if not text:
        raise WrongIdentity(Flaw.EMPTY)
    with _anything_else_as(WrongIdentity(Flaw.UNREADABLE)):
        try:
            if _SSH_PRIVATE_KEY.match(text):
                return [pyrage.ssh.Identity.from_buffer(f"{text}\n".encode())]
            lines = [line.strip() for line in text.splitlines()]
            found = [
                pyrage.x25519.Identity.from_str(line)
                for line in lines
                if line and not line.startswith("#")
            ]
        except pyrage.IdentityError as error:
            raise WrongIdentity(_identity_flaw(text, str(error))) from None
    if not found:
        raise WrongIdentity(Flaw.EMPTY)
    return list(found)


@contextmanager
def _anything_else_as(error: TokenError) -> Iterator[None]:
    """Raise `error` for what `pyrage` raises without a name for it, above all a panic of Rust.

    A panic is a `BaseException` of a class that cannot be imported. It comes of keys that have the
    right form and impossible numbers in it.
    """
    try:
        yield
    except (TokenError, MemoryError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001 - see above
        raise error from None


def _identity_flaw(text: str, problem: str) -> Flaw:
    if "must be decrypted" in problem or "Encrypted" in problem:
        return Flaw.PASSPHRASE
    if "unsupported key" in problem or text.upper().startswith("AGE-PLUGIN-"):
        return Flaw.UNSUPPORTED
    return Flaw.RECIPIENT if _PUBLIC_KEY.match(text) else Flaw.UNREADABLE


def _keys(recipients: Iterable[Any]) -> set[Any]:
    return {_key(item) if isinstance(item, str) else item for item in recipients}


def _key(recipient: str) -> str:
    """Return a recipient in the one spelling that is compared: an SSH key without its comment."""
    words = recipient.split()
    if words and _OTHER_SSH_KIND.fullmatch(words[0]):
        return " ".join(words[:2])
    return recipient.strip().lower()
