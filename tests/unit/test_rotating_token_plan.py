"""What the plan of a rotating token says of its secrets, rule by rule."""

from typing import Any

import pytest
from tf.types import Unknown
from tf.utils import Diagnostics

from crusoe_provider.provider.resource_storage_rotating_token_plan import RotatingTokenPlan
from crusoe_provider.providerserver.resource import PlanContext
from crusoe_provider.tokens.rotating_token import RotatingToken
from crusoe_provider.tokens.sessions import Sessions
from support.keys import AGE, RSA, SSH

ARGUMENTS = ("alias", "rotate_after", "rotate_when_changed", "expires_after", "encrypt_to")
# The secrets of a key, in the clear and encrypted.
Secret = tuple[Any, Any]
CLEAR, CIPHER, NONE, NEW_CLEAR, NEW_CIPHER, OPEN = (
    ("b's", None),
    (None, "b's age file"),
    (None, None),
    (Unknown, None),
    (None, Unknown),
    (Unknown, Unknown),
)


def key(name: str, secret: Secret, prefix: str = "") -> dict[str, Any]:
    """Return the attributes of a key."""
    clear, cipher = secret
    return {
        f"{prefix}access_key_id": name,
        f"{prefix}secret_key": clear,
        f"{prefix}encrypted_secret_key": cipher,
        f"{prefix}status": "enabled",
    }


def planned(before: RotatingToken, **changes: Any) -> RotatingToken:
    """Return the plan for a token whose arguments change, without a provider block yet."""
    config = {name: getattr(before, name) for name in ARGUMENTS} | changes
    proposed = before.to_state() | changes
    context = PlanContext(
        Diagnostics(), "crusoe_storage_rotating_token", set(changes), config=config, private={}
    )
    return RotatingTokenPlan(Sessions(), None, context).update(before, proposed)


@pytest.mark.parametrize(
    ("before", "after", "rotates"),
    [
        # An entry without a value is none, as a module may hand it on.
        ({"a": "1"}, {"a": "1", "b": None}, False),
        ({"a": "1", "b": None}, {"a": "1"}, False),
        ({"a": None}, {"a": "1"}, False),
        ({"a": "1"}, {"a": "2", "b": None}, True),
        ({"a": "1"}, {"b": "1"}, True),
        ({"a": "1"}, {"a": None}, True),
        ({"a": "1"}, None, True),
        # It depends.
        ({"a": "1"}, Unknown, None),
        ({"a": "1"}, {"a": Unknown}, None),
        ({"a": "1"}, {"a": "1", "b": Unknown}, None),
        # Whatever it will be, another entry has changed.
        ({"a": "1", "b": "1"}, {"a": "2", "b": Unknown}, True),
        ({"a": "1"}, {"b": Unknown}, True),
    ],
)
def test_values_that_change_rotate(before: Any, after: Any, rotates: bool | None) -> None:
    token = RotatingToken(rotate_when_changed=before, generation=3, **key("b", CLEAR))

    found = planned(token, rotate_when_changed=after).generation

    assert found == {True: 4, False: 3, None: Unknown}[rotates]


def secret(token: RotatingToken, prefix: str = "") -> Secret:
    """Return what a plan says of the secret of a key."""
    return (
        getattr(token, f"{prefix}secret_key"),
        getattr(token, f"{prefix}encrypted_secret_key"),
    )


@pytest.mark.parametrize(
    ("before", "after", "current", "rotates"),
    [
        # Taken up in place.
        (None, [AGE], CLEAR, False),
        ([], [AGE], CLEAR, False),
        (None, Unknown, CLEAR, False),
        (None, [AGE, Unknown], CLEAR, False),
        (None, [AGE], CIPHER, False),
        (None, [AGE], NONE, False),
        # There is nothing that others could not read.
        ([AGE], [SSH], NONE, False),
        ([AGE], None, NONE, False),
        # Empty for none.
        (None, [], CLEAR, False),
        # Others, more, fewer, none.
        ([AGE], [SSH], CIPHER, True),
        ([AGE], [AGE, SSH], CIPHER, True),
        ([AGE, SSH], [AGE], CIPHER, True),
        ([AGE], None, CIPHER, True),
        ([AGE], [], CIPHER, True),
        ([AGE], [RSA, Unknown], CIPHER, True),
        # It depends.
        ([AGE], Unknown, CIPHER, None),
        ([AGE, SSH], [f"{SSH} me", Unknown], CIPHER, None),
        ([AGE], [AGE, Unknown], CIPHER, None),
    ],
)
def test_recipients_rotate_or_are_taken_up(
    before: Any, after: Any, current: Secret, rotates: bool | None
) -> None:
    """What is encrypted already needs a new key for others; nothing else does."""
    token = RotatingToken(encrypt_to=before, generation=3, **key("b", current))

    plan = planned(token, encrypt_to=after)

    expected = {True: 4, False: 3, None: Unknown}[rotates]
    assert plan.generation == expected
    assert (plan.access_key_id == "b") == (rotates is False)
    assert plan.encrypt_to == after


@pytest.mark.parametrize(
    ("after", "current", "kept"),
    [
        ([AGE], CLEAR, NEW_CIPHER),
        ([AGE, Unknown], CLEAR, NEW_CIPHER),
        (Unknown, CLEAR, OPEN),
        ([AGE], CIPHER, CIPHER),
        ([AGE], NONE, NONE),
        ([], CLEAR, CLEAR),
    ],
)
@pytest.mark.parametrize("previous", [CLEAR, CIPHER, None], ids=["clear", "cipher", "none"])
@pytest.mark.parametrize("rotates", [True, False], ids=["rotates", "stays"])
def test_every_secret_that_is_in_the_clear_is_taken_up(
    after: Any, current: Secret, kept: Secret, previous: Secret | None, rotates: bool
) -> None:
    """That of the current key also where it becomes the previous one in the same plan."""
    token = RotatingToken(**key("b", current))
    if previous is not None:
        token = token.but(**key("a", previous, "previous_"))

    plan = planned(token, encrypt_to=after, **({"alias": "other"} if rotates else {}))

    if rotates:
        new = {id(Unknown): OPEN}.get(id(after), NEW_CIPHER if after else NEW_CLEAR)
        assert (secret(plan), secret(plan, "previous_")) == (new, kept)
        assert plan.previous_access_key_id == "b"
        return
    assert secret(plan) == kept
    clear = (Unknown if after is Unknown else None, Unknown) if after else CLEAR
    expected = {CLEAR: clear, CIPHER: CIPHER, None: NONE}[previous]
    assert secret(plan, "previous_") == expected


def test_another_rotation_leaves_the_ciphertext_to_those_who_could_read_it() -> None:
    """It moves on with its key; the new one is for the new recipients."""
    token = RotatingToken(
        encrypt_to=[AGE], **key("b", CIPHER), **key("a", (None, "a's age file"), "previous_")
    )

    plan = planned(token, encrypt_to=[SSH])

    assert secret(plan) == NEW_CIPHER
    assert secret(plan, "previous_") == CIPHER
    assert plan.previous_access_key_id == "b"


def test_a_plan_that_may_rotate_says_what_is_the_same_either_way() -> None:
    """The secret stays encrypted, and the status what it is."""
    token = RotatingToken(
        encrypt_to=[AGE],
        rotate_when_changed={"n": "1"},
        **key("b", CIPHER),
        **key("a", (None, "a's age file"), "previous_"),
    )

    plan = planned(token, rotate_when_changed={"n": Unknown})

    assert secret(plan) == secret(plan, "previous_") == NEW_CIPHER
    state = plan.to_state()
    open_ = {name for name, value in state.items() if value is Unknown}
    assert open_ >= {"access_key_id", "previous_access_key_id", "status", "generation"}
    assert state["previous_status"] == "enabled"


def test_a_secret_in_the_clear_beside_recipients_is_taken_up_whatever_changes() -> None:
    """Somebody has edited the state, or a rotation was interrupted."""
    token = RotatingToken(encrypt_to=[AGE], **key("b", CIPHER), **key("a", CLEAR, "previous_"))

    plan = planned(token)

    assert (secret(plan), secret(plan, "previous_")) == (CIPHER, NEW_CIPHER)
