"""The function `decrypt`: the secret in an `encrypted_secret_key`."""

from typing import TYPE_CHECKING, Any

from tf.function import CallContext, Function, FunctionSignature, Parameter, Return
from tf.types import String

from crusoe_provider.provider.encryption_texts import wrong_argument
from crusoe_provider.tokens.encryption import decrypt
from crusoe_provider.tokens.errors import WrongCiphertext, WrongIdentity

if TYPE_CHECKING:
    from crusoe_provider.provider.provider import CrusoeProvider


class DecryptFunction(Function):
    """Decrypts an age file. It works without a configured provider, as functions do."""

    def __init__(self, provider: "CrusoeProvider") -> None:
        self._hide = provider.hide

    @classmethod
    def get_name(cls) -> str:
        """Return the function's name."""
        return "decrypt"

    @classmethod
    def get_signature(cls) -> FunctionSignature:
        """Return its parameters and result."""
        return FunctionSignature(
            parameters=[
                Parameter(
                    "ciphertext",
                    String(),
                    "What to decrypt: the `encrypted_secret_key` of a token, or any other age file "
                    "in its armour.",
                ),
                Parameter(
                    "identity",
                    String(),
                    "The private key to decrypt it with: an age identity (`AGE-SECRET-KEY-1…`) or "
                    "the content of a file of them, as `age-keygen` writes it; or an OpenSSH "
                    "private key (`ssh-ed25519`, `ssh-rsa`) without a passphrase. Take it from an "
                    "ephemeral variable.",
                ),
            ],
            return_type=Return(String()),
            summary="Decrypts the secret of a token",
            description=(
                "Returns the text in an age file. The result is as sensitive, and as ephemeral, as "
                "the arguments: with an identity from an ephemeral variable it can be used in "
                "provisioners, provider blocks and write-only arguments, and Terraform refuses to "
                "store it anywhere. While the ciphertext is not known yet, neither is the result."
            ),
        )

    def call(self, ctx: CallContext, arguments: list[Any]) -> str | None:
        """Return the text."""
        ciphertext, identity = arguments
        self._hide(identity)
        try:
            secret = decrypt(ciphertext, identity)
        except (WrongIdentity, WrongCiphertext) as error:
            argument, problem = wrong_argument(error)
            ctx.diagnostics.add_error(f"{argument} {problem}.", path=[argument])
            return None
        self._hide(secret)
        return secret
