"""What the guides promise of plans is run by a test.

A sentence in a guide with one of the words "plan", "replace" and "rotates" stands here with the
test that runs it, or among those that promise nothing of this provider. Whoever writes a new one
has to say which.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
GUIDES = REPOSITORY / "docs" / "guides"
# Their sentences are about messages and about options, which other tests hold on to.
OTHERS = {"troubleshooting", "check"}
SAVED_AND_NOT = "acceptance/test_key_limit.py::test_a_plan_that_fits_is_carried_out"
REVOKED = "acceptance/test_query.py::test_a_leaked_key_is_revoked_where_the_plan_is_refused"
TAKES_SECRET = (
    "acceptance/test_encryption.py::"
    "test_an_import_without_recipients_stores_the_secret_in_the_apply"
)
AGE = "acceptance/test_rotating_token.py::test_age_rotates_in_place_and_the_key_before_stays"
RENEWED = "acceptance/test_token_life.py::test_a_token_is_renewed_when_its_time_has_come"
GAP = "acceptance/test_key_limit.py::test_a_replacement_at_the_limit_warns_of_the_gap_once"
ENCRYPTED = "acceptance/test_opentofu.py::test_state_and_plan_are_encrypted"
MOVED_IN = (
    "acceptance/test_profiles.py::"
    "test_aliases_of_the_provider_become_profiles_without_a_replacement"
)

# How the sentence begins, by guide, with the test.
PROMISES = {
    "adopting-tokens": {
        "The plan after that is empty": (
            "acceptance/test_query.py::test_forgotten_tokens_are_found_and_brought_under_terraform"
        ),
        "The action `crusoe_storage_revoke_token` revokes a key with Terraform alone": REVOKED,
        "The plan says whose token it is, its alias and its age": REVOKED,
    },
    "key-limit": {
        "The provider counts while planning, so a plan that cannot be carried out is refused": (
            "acceptance/test_key_limit.py::test_three_new_tokens_are_refused"
        ),
        "From these the plan takes away what it deletes": SAVED_AND_NOT,
        "So these pass with both slots taken": SAVED_AND_NOT,
        "Two blocks with credentials of the same user know nothing of each other's plans": (
            "acceptance/test_key_limit.py::"
            "test_blocks_of_one_user_do_not_know_what_each_other_frees"
        ),
        "A plan of the whole configuration also says which of them are in this state": (
            "acceptance/test_key_limit.py::"
            "test_a_new_token_beside_two_that_terraform_does_not_manage_is_refused"
        ),
        "Terraform tells no provider of it, so a plan cannot refuse it": (
            "acceptance/test_key_limit.py::"
            "test_create_before_destroy_without_a_free_slot_is_refused_by_name"
        ),
        "If the plan deletes a token, the next apply succeeds": (
            "acceptance/test_key_limit.py::"
            "test_with_one_operation_at_a_time_a_creation_makes_way_for_the_deletion"
        ),
    },
    "migration": {
        "Nothing is replaced because of it": (
            "acceptance/test_import.py::test_a_token_is_imported_by_either_id"
        ),
        "For a token that has an expiry `expires_after` and `renew_before` can be set": (
            "acceptance/test_import.py::"
            "test_an_imported_token_takes_up_renewal_and_rotation_without_a_replacement"
        ),
        "`terraform plan -generate-config-out=tokens.tf` writes the resource": (
            "acceptance/test_import.py::test_a_generated_configuration_plans_with_no_changes"
        ),
        "An `import` block needs it in the plan and in the apply": TAKES_SECRET,
        "A token that never expires cannot be given an expiry": (
            "acceptance/test_import.py::"
            "test_an_imported_token_without_an_expiry_is_replaced_by_one_that_has"
        ),
    },
    "pipelines": {
        "The provider takes that into account: whether a token is due for renewal is decided": (
            "acceptance/test_late_approvals.py::"
            "test_an_update_approved_after_the_renewal_moment_is_carried_out_as_planned"
        ),
        "- **A plan is a snapshot.** If somebody takes the last slot between plan and apply": (
            "acceptance/test_rotating_quota.py::"
            "test_a_slot_that_somebody_takes_after_the_plan_is_told"
        ),
        "- `terraform plan -detailed-exitcode` ends with 2": RENEWED,
        "The plan goes to the apply as an artefact": (
            "acceptance/test_pipelines.py::test_a_pipeline_applies_the_plan_that_it_has_shown"
        ),
    },
    "protecting-the-secret": {
        "Any other change of the recipients replaces the token": (
            "acceptance/test_encryption.py::test_an_order_a_spelling_and_a_comment_are_no_change"
        ),
        "State, plans, logs and outputs hold nothing else of it": (
            "acceptance/test_encryption.py::test_the_secret_is_never_in_the_clear"
        ),
        "The variable is needed by `terraform plan` and by `terraform apply`": (
            "acceptance/test_encryption.py::"
            "test_it_is_handed_on_while_an_apply_runs_and_stored_nowhere"
        ),
        "An `import` block takes the secret from `CRUSOE_STORAGE_TOKEN_SECRET`": (
            "acceptance/test_encryption.py::test_an_import_encrypts_the_secret_of_the_environment"
        ),
        "`-replace` revokes both, and so do two rotations": (
            "acceptance/test_rotating_token.py::test_replacing_revokes_both"
        ),
        "It opens in the plan as well as in the apply": (
            "acceptance/test_ephemeral.py::test_without_a_free_slot_the_plan_says_so"
        ),
    },
    "rotation": {
        "Adopting any of these on a token that exists rotates nothing": (
            "acceptance/test_rotating_token.py::test_a_shorter_age_counts_at_once"
        ),
        "Adopting `rotate_when_changed` on a token that exists replaces nothing": (
            "acceptance/test_import.py::"
            "test_an_imported_token_takes_up_renewal_and_rotation_without_a_replacement"
        ),
        "One that never expires is replaced by one that does": (
            "acceptance/test_token_life.py::"
            "test_adding_changing_and_removing_an_expiry_replaces_the_token"
        ),
        "A plan that finds it 30 days old rotates, in place": AGE,
        '| `rotate_after = "30d"`': AGE,
        "| the current key has expired, or was deleted elsewhere": (
            "acceptance/test_rotating_drift.py::"
            "test_a_current_key_that_is_gone_is_made_anew_in_place"
        ),
        '| `revoke_previous_after = "7d"`': (
            "acceptance/test_rotating_token.py::test_the_previous_key_is_revoked_in_time"
        ),
        "A plan that creates it while another key has the other slot warns": (
            "acceptance/test_rotating_quota.py::"
            "test_a_foreign_key_in_the_other_slot_is_named_at_the_creation_already"
        ),
        "With `encrypt_to` the state holds both secrets encrypted only": (
            "acceptance/test_rotating_encryption.py::"
            "test_no_secret_of_any_generation_is_ever_in_the_clear"
        ),
        "To make a new key all the same, with a gap": (
            "acceptance/test_rotating_quota.py::"
            "test_a_rotation_that_has_no_room_stands_in_the_way_of_no_replacement"
        ),
        '| `expires_after = "90d"` with `renew_before = "14d"`': RENEWED,
        "| `expires_after` alone": (
            "acceptance/test_token_life.py::test_an_expired_token_with_a_duration_renews"
        ),
        "If it is not, the plan warns that there will be a gap, and the apply creates nothing": (
            "acceptance/test_key_limit.py::"
            "test_create_before_destroy_without_a_free_slot_is_refused_by_name"
        ),
        "Both slots are taken then, so a plan warns": GAP,
        "The plan warns of it once": GAP,
    },
    "try-it": {
        "The plan says so before anything has changed": (
            "acceptance/test_guides.py::test_the_guide_without_an_account_shows_what_happens"
        ),
    },
    "opentofu": {
        "## Encrypted state and plans": ENCRYPTED,
        "OpenTofu encrypts state and saved plans before they leave the process": ENCRYPTED,
        "`-exclude` plans everything but some addresses": (
            "acceptance/test_opentofu.py::test_what_is_excluded_keeps_its_slot"
        ),
    },
    "services": {
        "If not, the token is replaced": (
            "acceptance/test_profiles.py::"
            "test_another_user_replaces_the_token_with_both_users_credentials"
        ),
        "An ephemeral variable (Terraform 1.10 and newer) reaches neither the state": (
            "acceptance/test_profiles.py::"
            "test_profiles_of_the_block_may_be_ephemeral_and_go_before_those_of_the_file"
        ),
        "A plan reads one list for each user": (
            "acceptance/test_scale.py::test_many_users_with_two_tokens_each_in_one_block"
        ),
        "As long as Terraform does not know the value, the plan shows a replacement": (
            "acceptance/test_profiles.py::"
            "test_a_profile_known_after_the_apply_only_is_planned_honestly"
        ),
        "The plan shows an update of `profile` in place for each token": MOVED_IN,
    },
}
# Of Terraform, of OpenTofu or of people, or an introduction to what follows.
NO_PROMISES = {
    "key-limit": {"## When a plan is refused"},
    "opentofu": {
        "| encryption of state and plans",
        "| Users come from",
        "## How a plan is told from an apply",
        "Where it cannot tell",
    },
    "pipelines": {
        "A saved plan is applied in another process",
        "- **A saved plan holds secrets**",
        "| HCP Terraform agents",
        "- **GitHub Actions** and **GitLab CI**: the plan's artefact has the lock file in it",
        "- **Atlantis** keeps saved plans on its disk",
        "- **HCP Terraform**: set",
    },
    "protecting-the-secret": {
        "### A token that rotates",
        "Each recipient can decrypt it alone, so name a second one",
        "With `ephemeral = true` in the configuration it is in no state",
        "But **what was written before still holds the secret**",
        "| | State in the backend",
        "- Saved plans (`terraform plan -out=…`) hold the state",
        "OpenTofu 1.7 and newer encrypts state and plans",
    },
    "rotation": {
        "### What makes a plan replace a `crusoe_storage_token`",
        "A key cannot be changed, only replaced",
        "Terraform does nothing by itself",
        "| `-replace=crusoe_storage_token.ci`",
        "Where consumers are slow to notice",
    },
}


def sentences(page: Path) -> Iterator[str]:
    """Yield the sentences of a guide that have the word in them; code is left out."""
    text = page.read_text(encoding="utf-8").split("---\n", 2)[2]
    text = re.sub(r"```.*?```", "\n\n", text, flags=re.DOTALL)
    for part in re.split(r"\n\s*\n|\n(?=(?:[-|]|#+) )", text):
        line = " ".join(part.split())
        found = (
            [line] if line.startswith(("| ", "- ")) else re.split(r"(?<=[.;]) (?=[A-Z`*])", line)
        )
        yield from (
            sentence
            for sentence in found
            if re.search(r"\b(?:plans?|replac(?:es?|ed)|rotates)\b", sentence)
        )


def pages() -> list[Path]:
    return [page for page in sorted(GUIDES.glob("*.md")) if page.stem not in OTHERS]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_every_promise_is_run_by_a_test(page: Path) -> None:
    """And what is listed here still stands in the guide."""
    known = {*PROMISES.get(page.stem, {}), *NO_PROMISES.get(page.stem, set())}
    found = list(sentences(page))

    for sentence in found:
        assert any(sentence.startswith(beginning) for beginning in known), sentence
    for beginning in known:
        assert any(sentence.startswith(beginning) for sentence in found), beginning


def test_the_tests_exist() -> None:
    """By their names."""
    for promises in PROMISES.values():
        for test in promises.values():
            path, _, name = test.partition("::")
            tree = ast.parse((REPOSITORY / "tests" / path).read_text(encoding="utf-8"))
            assert name in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}, test
