"""What the binary of a release copies when it installs itself; test_release.py has a real one."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from crusoe_provider.cli.installation import (
    LIBRARIES,
    NAME,
    NOTICES,
    install,
    terraform_platform,
)
from crusoe_provider.version import __version__
from release import build


def parts(folder: Path, executable: str) -> None:
    """Make what a package holds."""
    (folder / LIBRARIES / "lib").mkdir(parents=True)
    for name in (executable, *NOTICES, f"{LIBRARIES}/lib/library.so"):
        (folder / name).write_text(name)
    (folder / executable).chmod(0o755)


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with a release in it, unpacked among all else, which runs."""
    parts(tmp_path, f"{NAME}_v0.0.1")
    (tmp_path / "id_ed25519").write_text("private")
    (tmp_path / "photos").mkdir()
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / f"{NAME}_v0.0.1"))
    return tmp_path


def test_nothing_but_the_package_is_copied(downloads: Path) -> None:
    """Also into a mirror below the folder that it was unpacked into."""
    plugins = install(downloads / ".terraform.d" / "plugins", "0.0.1").plugins

    assert len(plugins) == 2
    for plugin in plugins:
        found = {str(path.relative_to(plugin.parent)) for path in plugin.parent.rglob("*")}
        libraries = {LIBRARIES, f"{LIBRARIES}/lib", f"{LIBRARIES}/lib/library.so"}
        assert found == {plugin.name, *libraries, *NOTICES}
        assert os.access(plugin, os.X_OK)


def test_the_executable_gets_the_name_that_terraform_wants(
    downloads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it was renamed to, or which link leads to it."""
    renamed = (downloads / f"{NAME}_v0.0.1").rename(downloads / "crusoe")
    (downloads / "bin").mkdir()
    link = downloads / "bin" / NAME
    link.symlink_to(renamed)
    monkeypatch.setattr(sys, "executable", str(link))

    plugins = install(downloads / "mirror", "0.0.1").plugins

    assert [plugin.name for plugin in plugins] == [f"{NAME}_v0.0.1"] * 2
    for plugin in plugins:
        assert not plugin.is_symlink()
        assert not (plugin.parent / "crusoe").exists()


@pytest.mark.parametrize("name", NOTICES)
def test_a_package_that_is_not_complete_is_refused(downloads: Path, name: str) -> None:
    """Its hash would be another one than that of the release; and nothing is left of the try."""
    (downloads / name).unlink()
    mirror = downloads / "mirror"

    with pytest.raises(FileNotFoundError, match=f"has no {name}"):
        install(mirror, "0.0.1")

    assert [path for path in mirror.rglob("*") if terraform_platform() in path.name] == []


@pytest.mark.parametrize("change", ["more", "less"])
def test_a_release_holds_what_install_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """A file that the build adds, and `install` leaves behind, would change the hash."""
    bundle = tmp_path / "bundle"
    parts(bundle, f"{NAME}_v{__version__}")
    if change == "more":
        (bundle / "README").touch()
    else:
        (bundle / LIBRARIES).rename(tmp_path / LIBRARIES)
    monkeypatch.setattr(build, "_bundle", lambda *_: bundle)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")

    with pytest.raises(build.ReleaseError, match="README" if change == "more" else LIBRARIES):
        build.build(tmp_path / "dist", 0)
