"""The provider's schema, as Terraform shows it."""

from pathlib import Path

import pytest

from harness.sandbox import PLUGIN
from schema import formatted, provider_schema

pytestmark = pytest.mark.acceptance

KEPT = Path(__file__).parents[2] / "schemas" / "provider-schema.json"


def test_the_schema_is_the_one_that_is_kept() -> None:
    """Users build on it, so it never changes unnoticed. `make schema` writes it anew."""
    assert formatted(provider_schema(PLUGIN)) == KEPT.read_text(encoding="utf-8")
