"""Which Terraform a test runs; see `harness.terraforms`.

A test that needs a newer one says so:

    @pytest.mark.needs_terraform("1.14", opentofu="1.12")

It runs with the Terraform on the path if that has it, and otherwise with the newest one that is
claimed. Where somebody has chosen a Terraform (`make acceptance TERRAFORM=…`) which lacks it, and
where the newest is not to be had, the test is skipped, and says why. `opentofu` is the first
OpenTofu that has it; without it, none has. What no Terraform has says `None` in its place.

Most tests need no marker: what `harness.features` finds in their configuration is enough for them
to be skipped with a version that lacks it.
"""

from collections.abc import Generator
from pathlib import Path

import pytest

from harness import terraforms
from harness.features import LacksFeatureError, either


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, object, object]:
    """Skip a test whose Terraform lacks a feature."""
    try:
        return (yield)
    except LacksFeatureError as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def _terraform_that_is_new_enough(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = request.node.get_closest_marker("needs_terraform")
    if marker is None:
        return
    (terraform,) = marker.args
    opentofu = marker.kwargs.get("opentofu")
    version = terraforms.version(terraforms.executable())
    if version.has(terraform, opentofu):
        return
    if terraforms.is_chosen() or terraform is None:
        pytest.skip(f"needs {either(terraform, opentofu)}; this is {version}")
    monkeypatch.setenv(terraforms.VARIABLE, str(newest()))


@pytest.fixture
def newest_terraform() -> Path:
    """The newest Terraform that is claimed, whichever one the others run with."""
    return newest()


def newest() -> Path:
    """Return the newest Terraform, or skip the test on a machine that it does not exist for."""
    try:
        return terraforms.newest()
    except terraforms.NoTerraformError as error:
        pytest.skip(str(error).partition("\n")[0])
