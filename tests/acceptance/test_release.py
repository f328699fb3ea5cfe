"""A release, from the package to a life cycle on a machine without Python."""

import base64
import hashlib
import http.server
import json
import os
import re
import shutil
import stat
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from crusoe_provider.cli.installation import HOSTS, NAME, SOURCE, terraform_platform
from crusoe_provider.version import __version__
from harness.sandbox import mirror_configuration
from harness.workspace import Workspace
from release import smoke
from release.build import build, describe
from release.checksums import checksums
from release.contents import licences
from support.plugin_starts import seen_planning, seen_warm
from support.simulator_fixtures import Crusoe
from support.start_fixtures import are_warm

# The package is built once, and once more to compare: see `_IN_ONE_PROCESS` in conftest.py.
pytestmark = pytest.mark.acceptance

SIGNER = "release@crusoe-community.example"
KEY_TYPE = ("rsa2048", "sign", "never")
EPOCH = 1_700_000_000
REQUIRED = f"""\
terraform {{
  required_providers {{
    crusoe = {{
      source  = "{SOURCE}"
      version = "{__version__}"
    }}
  }}
}}

resource "crusoe_storage_token" "t" {{
  alias = "t"
}}
"""


@dataclass(frozen=True, slots=True)
class Release:
    """A finished release.

    Attributes:
        package: The zip file for this platform.
        bill: Its bill of materials.
        sums: The checksums.
        signature: Their signature.
        public_key: The signing key, armoured.
        key_id: Its ID.
    """

    package: Path
    bill: Path
    sums: Path
    signature: Path
    public_key: str
    key_id: str


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """A release, built as `make release` does, with the dependencies of the tests."""
    missing = [tool for tool in ("gpg", "objdump") if shutil.which(tool) is None]
    if missing and "CI" not in os.environ:
        pytest.skip(f"Building a release needs {' and '.join(missing)}.")
    folder = tmp_path_factory.mktemp("dist")
    # Short: the agent's socket has to fit into a path.
    home = tmp_path_factory.mktemp("g")
    home.chmod(0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GNUPGHOME", str(home))
        _gpg(*("--batch", "--passphrase", "", "--quick-gen-key", f"<{SIGNER}>"), *KEY_TYPE)
        package = build(folder, EPOCH)
        bill = describe(package, EPOCH)
        _, sums, signature = checksums(folder, SIGNER)
        listed = _gpg("--list-keys", "--with-colons")
        key_id = next(line.split(":")[4] for line in listed.splitlines() if line.startswith("pub"))
        yield Release(package, bill, sums, signature, _gpg("--armor", "--export", key_id), key_id)
        subprocess.run(["gpgconf", "--kill", "all"], check=True)


def _gpg(*arguments: str) -> str:
    done = subprocess.run(["gpg", *arguments], check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def bare(tmp_path: Path, crusoe: Crusoe) -> Iterator[Workspace]:
    """A Terraform on a machine that has no Python: nothing is on the path."""
    (tmp_path / "bin").mkdir()
    variables = crusoe.variables() | {"PATH": str(tmp_path / "bin")}
    with Workspace(tmp_path, variables=variables) as workspace:
        workspace.write(REQUIRED)
        yield workspace


def unpack(release: Release, folder: Path) -> None:
    """Unpack the package as `unzip` does, permissions included."""
    with zipfile.ZipFile(release.package) as archive:
        for entry in archive.infolist():
            path = Path(archive.extract(entry, folder))
            path.chmod(stat.S_IMODE(entry.external_attr >> 16))


def package_hash(release: Release) -> str:
    """Return the package's `h1:` hash, as Go modules and Terraform compute it."""
    with zipfile.ZipFile(release.package) as archive:
        lines = [
            f"{hashlib.sha256(archive.read(name)).hexdigest()}  {name}\n"
            for name in sorted(archive.namelist())
        ]
    return "h1:" + base64.b64encode(hashlib.sha256("".join(lines).encode()).digest()).decode()


def test_the_package_is_what_terraform_expects(release: Release) -> None:
    """One executable with the version in its name, and no file that could be taken for another."""
    with zipfile.ZipFile(release.package) as archive:
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
        notices = archive.read("THIRD_PARTY_LICENSES.txt").decode()

    assert release.package.name == f"{NAME}_{__version__}_{terraform_platform()}.zip"
    assert [name for name in modes if "/" not in name and NAME in name] == [
        f"{NAME}_v{__version__}"
    ]
    assert modes[f"{NAME}_v{__version__}"] == 0o100755
    assert {"LICENSE", "terraform-registry-manifest.json"} < set(modes)
    assert all(stat.S_ISREG(mode) for mode in modes.values())
    assert not [name for name in modes if "simulator" in name or "pytest" in name]
    for name in ("grpcio", "httpx", "cryptography", "tf 1."):
        assert f"\n{name}" in notices


def test_a_second_build_gives_the_same_bytes(release: Release, tmp_path: Path) -> None:
    """So that anybody can check where a release comes from."""
    again = build(tmp_path, EPOCH)

    assert again.read_bytes() == release.package.read_bytes()


def test_the_checksums_are_right_and_signed(release: Release) -> None:
    """Over the package, its bill of materials and the manifest."""
    names = {}
    for line in release.sums.read_text().splitlines():
        digest, name = line.split("  ")
        names[name] = digest
        assert hashlib.sha256((release.sums.parent / name).read_bytes()).hexdigest() == digest

    manifest_name = f"{NAME}_{__version__}_manifest.json"
    assert set(names) == {release.package.name, release.bill.name, manifest_name}
    manifest = json.loads((release.sums.parent / manifest_name).read_text())
    assert manifest == {"version": 1, "metadata": {"protocol_versions": ["6.0"]}}
    verified = subprocess.run(["gpg", "--verify", release.signature, release.sums], check=False)
    assert verified.returncode == 0


def unpack_into_mirror(release: Release, folder: Path) -> None:
    """Unpack the package where Terraform and OpenTofu look for it, and nowhere else."""
    mirror = folder / "mirror"
    for host in HOSTS:
        unpack(release, mirror / host / SOURCE / __version__ / terraform_platform())
    (folder / "terraform.tfrc").write_text(mirror_configuration(mirror))


def test_a_life_cycle_from_an_unpacked_mirror(
    release: Release, bare: Workspace, crusoe: Crusoe, tmp_path: Path
) -> None:
    """On a machine without Python; running it changes no file, so its hash stays valid."""
    unpack_into_mirror(release, tmp_path)

    bare.init().succeeded()
    lock = (bare.folder / ".terraform.lock.hcl").read_text()
    bare.validate().succeeded()
    bare.apply().succeeded()
    assert bare.plan().actions == {}
    assert crusoe.aliases() == ["t"]
    bare.destroy().succeeded()

    assert package_hash(release) in lock
    assert crusoe.aliases() == []
    # Terraform checks the hash of the installed package against the lock file.
    bare.init("-lockfile=readonly").succeeded()


@pytest.mark.skipif(not are_warm(), reason="plugins start cold")
def test_later_processes_of_a_command_start_warm(
    release: Release, bare: Workspace, crusoe: Crusoe, tmp_path: Path
) -> None:
    """As from the Python package: the binary finds the one that has loaded everything."""
    unpack_into_mirror(release, tmp_path)
    bare.init().succeeded()

    (seen,) = seen_warm(lambda: seen_planning(crusoe, bare))

    assert (len(seen.nurseries), len(seen.launchers), len(seen.cold)) == (1, 1, 0)


def test_the_binary_installs_itself(
    release: Release, bare: Workspace, crusoe: Crusoe, tmp_path: Path
) -> None:
    """Unpacked anywhere, also among all else that is at home, it has the package's commands."""
    unpack(release, bare.home)
    (bare.home / "id_ed25519").write_text("private")
    (tmp_path / "terraform.tfrc").write_text("")
    binary = bare.home / f"{NAME}_v{__version__}"
    subprocess.run([binary, "install"], env={"HOME": str(bare.home)}, check=True)

    bare.init().succeeded()
    bare.apply().succeeded()

    assert crusoe.aliases() == ["t"]
    # That of the release: what is installed is what was unpacked, and nothing else.
    assert package_hash(release) in (bare.folder / ".terraform.lock.hcl").read_text()


def test_the_binary_knows_where_it_is(release: Release, tmp_path: Path) -> None:
    """Also when the shell has found it, by another name and far away."""
    unpacked = tmp_path / "unpacked"
    unpack(release, unpacked)
    (unpacked / NAME).symlink_to(unpacked / f"{NAME}_v{__version__}")

    done = subprocess.run(
        [NAME, "dev-override"],
        env={"PATH": str(unpacked)},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )

    assert f'"{SOURCE}" = "{unpacked}"' in done.stdout


def test_terraform_takes_it_from_a_registry(
    release: Release, bare: Workspace, tmp_path: Path
) -> None:
    """With the registry's protocol: checksums and signature are checked by Terraform itself."""
    with registry(release) as endpoint:
        services = f'{{\n    "providers.v1" = "{endpoint}/v1/providers/"\n  }}'
        hosts = (f'host "{host}" {{\n  services = {services}\n}}\n' for host in HOSTS)
        (tmp_path / "terraform.tfrc").write_text("".join(hosts))

        initialized = bare.init().succeeded()

    assert f"key ID {release.key_id}" in initialized.stdout
    lock = (bare.folder / ".terraform.lock.hcl").read_text()
    assert f"zh:{hashlib.sha256(release.package.read_bytes()).hexdigest()}" in lock
    assert bare.plan().actions == {"crusoe_storage_token.t": "create"}


def test_a_package_is_started_before_it_is_shown_to_anybody(
    release: Release, tmp_path: Path
) -> None:
    """As a person starts it, and as Terraform does; one that does not start is no release."""
    assert __version__ in smoke.check(release.package)

    broken = tmp_path / release.package.name
    with zipfile.ZipFile(release.package) as good, zipfile.ZipFile(broken, "w") as archive:
        entry = good.getinfo(f"{NAME}_v{__version__}")
        for_people = 'if [ "$1" = check ]; then echo Missing Crusoe credentials; exit 1; fi'
        archive.writestr(entry, f"#!/bin/sh\n{for_people}\necho {__version__}\n")
    with pytest.raises(smoke.SmokeError, match="Instead of a handshake"):
        smoke.check(broken)


def test_the_bill_of_materials_is_right(release: Release) -> None:
    """It follows the standard, and lists exactly what the package's licences list."""
    text = release.bill.read_text()
    document = json.loads(text)

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    (digest,) = document["metadata"]["component"]["hashes"]
    assert digest["content"] == hashlib.sha256(release.package.read_bytes()).hexdigest()
    listed = {f"{part['name']} {part['version']}".lower() for part in document["components"]}
    notices = re.findall(r"^=+\n(\S+ \S+)\nLicence: ", licences(), re.MULTILINE)
    assert listed == {notice.lower() for notice in notices}


class registry:  # noqa: N801 - used like a function
    """A provider registry on loopback with one release."""

    def __init__(self, release: Release) -> None:
        files = {path.name: path for path in (release.package, release.sums, release.signature)}
        os_name, architecture = terraform_platform().split("_")

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rpartition("/")[2]
                if name in files:
                    self._answer(files[name].read_bytes(), "application/octet-stream")
                elif name == "versions":
                    target = {"os": os_name, "arch": architecture}
                    version = {"version": __version__, "protocols": ["6.0"], "platforms": [target]}
                    self._json({"versions": [version]})
                else:
                    host = self.headers["Host"]
                    self._json(
                        {
                            "protocols": ["6.0"],
                            "os": os_name,
                            "arch": architecture,
                            "filename": release.package.name,
                            "download_url": f"http://{host}/{release.package.name}",
                            "shasums_url": f"http://{host}/{release.sums.name}",
                            "shasums_signature_url": f"http://{host}/{release.signature.name}",
                            "shasum": hashlib.sha256(release.package.read_bytes()).hexdigest(),
                            "signing_keys": {
                                "gpg_public_keys": [
                                    {"key_id": release.key_id, "ascii_armor": release.public_key}
                                ]
                            },
                        }
                    )

            def _json(self, document: object) -> None:
                self._answer(json.dumps(document).encode(), "application/json")

            def _answer(self, body: bytes, content_type: str) -> None:
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
