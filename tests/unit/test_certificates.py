"""Who vouches for the API: a real TLS server, with a certificate for somebody else."""

import os
import shutil
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import certifi
import pytest

from crusoe_provider.api import errors, tls
from crusoe_provider.api.client import CrusoeClient
from crusoe_provider.api.proxies import UnusableVariableError
from crusoe_provider.api.tls import Authorities, read_ahead
from crusoe_provider.provider.configuration import resolve
from crusoe_provider.provider.provider_block import ProviderBlock
from harness.authorities import add_to_folder
from support.tls_servers import TlsServer, tls_server

SECRET = "c2VjcmV0LW9mLXRoZS10ZXN0cw"
PAIR: dict[str, Any] = {"access_key_id": "BLOCK", "secret_key": SECRET}
SCHEMES = ["https", "HTTPS", "Https", "httpS"]


class System(NamedTuple):
    """What a system may have.

    Attributes:
        server: A server whose certificate vouches for itself.
        folder: Its folder of certificates.
        file: The first place of its file of certificates.
        second: The second place.
    """

    server: TlsServer
    folder: Path
    file: Path
    second: Path


def client(home: Path, environ: dict[str, str], **block: Any) -> CrusoeClient:
    settings = resolve(ProviderBlock(max_retries=0, **block), environ=environ, home=home)
    return CrusoeClient(settings, stop=threading.Event())


def of_block(home: Path, endpoint: str, environ: dict[str, str]) -> CrusoeClient:
    return client(home, environ, api_endpoint=endpoint, **PAIR)


def of_environment(home: Path, endpoint: str, environ: dict[str, str]) -> CrusoeClient:
    return client(home, environ | {"CRUSOE_API_ENDPOINT": endpoint}, **PAIR)


def of_file(home: Path, endpoint: str, environ: dict[str, str]) -> CrusoeClient:
    (home / ".crusoe").mkdir()
    (home / ".crusoe" / "config").write_text(
        f'[p]\naccess_key_id = "A"\nsecret_key = "{SECRET}"\napi_endpoint = "{endpoint}"\n'
    )
    return client(home, environ, profile="p")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("source", [of_block, of_environment, of_file])
def test_a_wrong_certificate_is_refused_in_every_spelling(
    tmp_path: Path, scheme: str, source: Any
) -> None:
    """Loopback or not: nothing is sent to a server that cannot say who it is."""
    with tls_server(tmp_path, name="elsewhere.example") as server:
        crusoe = source(tmp_path, f"{scheme}://127.0.0.1:{server.port}/v1", {})

        with pytest.raises(errors.ConnectionFailed, match="TLS failed") as error:
            crusoe.create_key("o", alias=None, expire_at=None)

        assert not error.value.may_have_happened
        assert server.requests == []
        crusoe.close()


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_authorities_of_the_environment_count_on_loopback_too(
    tmp_path: Path, variable: str
) -> None:
    """Trust and proxies are two questions: the proxy that is named is not asked."""
    with tls_server(tmp_path, name="127.0.0.1") as server:
        folder = tmp_path / "authorities"
        folder.mkdir()
        trusted = {"SSL_CERT_FILE": server.certificate, "SSL_CERT_DIR": folder}[variable]
        environ = {variable: str(trusted), "HTTPS_PROXY": "http://127.0.0.1:9"}
        crusoe = of_block(tmp_path, f"https://127.0.0.1:{server.port}/v1", environ)

        if variable == "SSL_CERT_FILE":
            assert crusoe.create_key("o", alias=None, expire_at=None).access_key_id == "CKIA1"
        else:  # an empty folder trusts nobody, and the error says whose choice that was
            with pytest.raises(errors.ConnectionFailed, match="SSL_CERT_DIR"):
                crusoe.create_key("o", alias=None, expire_at=None)
        crusoe.close()


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    """A system without authorities, beside a server whose certificate nobody else vouches for."""
    folder = tmp_path / "certs"
    folder.mkdir()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(tls, "SYSTEM_FILES", (str(tmp_path / "first"), str(tmp_path / "second")))
    other = tmp_path / "other folder"
    other.mkdir()
    monkeypatch.setattr(tls, "SYSTEM_FOLDERS", (str(folder), str(other)))
    with tls_server(tmp_path, name="127.0.0.1") as server:
        yield System(server, folder, tmp_path / "first", tmp_path / "second")


def hashed(system: System) -> None:
    add_to_folder(system.folder, system.server.certificate)


def hashed_and_in_the_file(system: System) -> None:
    hashed(system)
    in_the_file(system)


def hashed_beside_a_file_without_any(system: System) -> None:
    hashed(system)
    system.file.write_text("none\n")


def in_the_file(system: System) -> None:
    shutil.copy(system.server.certificate, system.file)


def in_the_second_file(system: System) -> None:
    system.file.write_text("")
    shutil.copy(system.server.certificate, system.second)


def appended_to_the_file_alone(system: System) -> None:
    another_is_hashed(system)
    system.file.write_bytes(system.server.certificate.read_bytes())


def appended_to_a_line_without_an_end(system: System) -> None:
    """OpenSSL refuses such a file as a whole."""
    own = system.server.certificate.read_bytes()
    system.file.write_bytes(own.strip() + own)


def in_the_file_beside_links_that_lead_nowhere(system: System) -> None:
    in_the_file(system)
    (system.folder / "01234567.0").symlink_to("/nowhere")


def linked_by_the_hash_of_the_one_before(system: System) -> None:
    (system.folder / "01234567.0").symlink_to(system.server.certificate)
    in_the_file(system)


def put_beside_the_hashed_ones(system: System) -> None:
    another_is_hashed(system)
    shutil.copy(system.server.certificate, system.folder / "corporate.pem")


def put_behind_a_damaged_file(system: System) -> None:
    another_is_hashed(system)
    damaged = b"-----BEGIN CERTIFICATE-----\n\xe9\xff=\n-----END CERTIFICATE-----\n"
    (system.folder / "a-damaged").write_bytes(damaged)
    shutil.copy(system.server.certificate, system.folder / "corporate.pem")


def put_into_the_other_folder(system: System) -> None:
    another_is_hashed(system)
    shutil.copy(system.server.certificate, system.folder.parent / "other folder" / "corporate")


def another_is_hashed(system: System) -> None:
    (other := system.folder.parent / "elsewhere").mkdir()
    with tls_server(other, name="elsewhere.example") as elsewhere:
        add_to_folder(system.folder, elsewhere.certificate)


@pytest.mark.parametrize(
    ("install", "at_once"),
    [
        (hashed, True),
        (hashed_and_in_the_file, True),
        (hashed_beside_a_file_without_any, True),
        (in_the_file, True),
        (in_the_second_file, True),
        (appended_to_the_file_alone, False),
        (appended_to_a_line_without_an_end, False),
        (in_the_file_beside_links_that_lead_nowhere, False),
        (linked_by_the_hash_of_the_one_before, False),
        (put_beside_the_hashed_ones, False),
        (put_behind_a_damaged_file, False),
        (put_into_the_other_folder, False),
    ],
)
def test_an_authority_that_the_system_has_is_trusted(
    tmp_path: Path, system: System, install: Callable[[System], None], at_once: bool
) -> None:
    """As by Terraform itself, however the system keeps it; everything is read only if need be."""
    install(system)

    crusoe = of_block(tmp_path, f"https://127.0.0.1:{system.server.port}/v1", {})

    # A creation is sent only once, but a connection may be tried again before that.
    assert crusoe.create_key("o", alias=None, expire_at=None).access_key_id == "CKIA1"
    assert len(system.server.requests) == 1
    assert Authorities().source == "this system"
    assert Authorities().are_whole is not at_once
    crusoe.close()


def test_many_threads_find_the_rest_together(tmp_path: Path, system: System) -> None:
    """None of them fails because another one was the first to look."""
    appended_to_the_file_alone(system)
    crusoe = of_block(tmp_path, f"https://127.0.0.1:{system.server.port}/v1", {})

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(crusoe.create_key, "o", alias=None, expire_at=None) for _ in range(16)]

    assert [key.result().access_key_id for key in asked] == ["CKIA1"] * 16
    crusoe.close()


def nothing(_system: System) -> None:
    pass


def a_file_that_is_broken(system: System) -> None:
    system.file.write_text("-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n")


def links_that_lead_nowhere(system: System) -> None:
    (system.folder / "01234567.0").symlink_to("/nowhere")
    (system.folder / "loop").symlink_to(system.folder / "loop")
    os.mkfifo(system.folder / "pipe")


@pytest.mark.parametrize("install", [nothing, a_file_that_is_broken, links_that_lead_nowhere])
def test_without_authorities_of_the_system_those_of_certifi_count(
    tmp_path: Path, system: System, install: Callable[[System], None]
) -> None:
    """And the error says so."""
    install(system)
    crusoe = of_block(tmp_path, f"https://127.0.0.1:{system.server.port}/v1", {})

    with pytest.raises(errors.TlsFailed, match="authorities are those of certifi"):
        crusoe.identity()

    assert system.server.requests == []
    crusoe.close()


def test_a_certificate_in_a_folder_that_is_named_needs_no_hash(
    tmp_path: Path, system: System
) -> None:
    """As for a program in Go; a folder that is not to be entered is passed over."""
    (locked := tmp_path / "locked").mkdir(mode=0)
    environ = {"SSL_CERT_DIR": f"{locked}/no{os.pathsep}{system.folder}"}
    shutil.copy(system.server.certificate, system.folder / "corporate.pem")
    crusoe = of_block(tmp_path, f"https://127.0.0.1:{system.server.port}/v1", environ)

    assert crusoe.create_key("o", alias=None, expire_at=None).access_key_id == "CKIA1"
    crusoe.close()


def test_a_folder_that_may_not_be_looked_at_is_a_problem_with_the_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever runs the tests as root may look at every folder."""

    def refuse(_path: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "stat", refuse)

    with pytest.raises(UnusableVariableError, match="SSL_CERT_DIR"):
        Authorities.of({"SSL_CERT_DIR": "/root/certs"})


def test_who_is_trusted_is_trusted_as_it_is(tmp_path: Path) -> None:
    """An authority below another one too, and what strict rules would refuse."""
    with tls_server(tmp_path, name="127.0.0.1", below=True) as server:
        environ = {"SSL_CERT_FILE": str(server.certificate)}
        crusoe = of_block(tmp_path, f"https://127.0.0.1:{server.port}/v1", environ)

        assert crusoe.create_key("o", alias=None, expire_at=None).access_key_id == "CKIA1"
        assert not Authorities.of(environ).context().verify_flags & ssl.VERIFY_X509_STRICT
        crusoe.close()


def test_only_a_linux_keeps_its_authorities_in_files(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed_and_in_the_file(system)
    monkeypatch.setattr(sys, "platform", "darwin")

    assert Authorities().source == "certifi"


def test_a_variable_counts_before_the_system(tmp_path: Path, system: System) -> None:
    """Whoever names somebody means nobody else."""
    hashed_and_in_the_file(system)
    environ = {"SSL_CERT_FILE": certifi.where()}
    crusoe = of_block(tmp_path, f"https://127.0.0.1:{system.server.port}/v1", environ)

    with pytest.raises(errors.ConnectionFailed, match="authorities are those of SSL_CERT_FILE"):
        crusoe.identity()

    assert system.server.requests == []
    crusoe.close()


def test_a_certificate_for_another_host_is_refused_whoever_vouches_for_it(tmp_path: Path) -> None:
    """The authority is trusted, and the name is not the one that was asked for."""
    with tls_server(tmp_path, name="elsewhere.example") as server:
        environ = {"SSL_CERT_FILE": str(server.certificate)}
        crusoe = of_block(tmp_path, f"https://127.0.0.1:{server.port}/v1", environ)

        with pytest.raises(errors.ConnectionFailed, match="TLS failed"):
            crusoe.identity()

        assert server.requests == []
        crusoe.close()


def test_authorities_that_were_read_ahead_are_not_read_again(tmp_path: Path) -> None:
    """Unless the file has been replaced meanwhile."""
    file = tmp_path / "authorities.pem"
    shutil.copy(certifi.where(), file)
    environ = {"SSL_CERT_FILE": str(file)}
    read_ahead(environ)
    first = Authorities.of(environ).context()
    assert Authorities.of(environ).context() is first

    file.write_text(file.read_text() + "\n")

    assert Authorities.of(environ).context() is not first


def test_each_of_several_folders_is_watched(tmp_path: Path) -> None:
    """An authority that is withdrawn from one of them is trusted no longer."""
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    environ = {"SSL_CERT_DIR": os.pathsep.join(map(str, folders))}

    for folder in folders:
        before = Authorities.of(environ).context()
        assert Authorities.of(environ).context() is before
        os.utime(folder, (1, 1))
        assert Authorities.of(environ).context() is not before


@pytest.mark.parametrize("key_log", [False, True])
def test_authorities_are_read_ahead_unless_connections_are_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key_log: bool
) -> None:
    """Reading them is slow; but Python would open the log of the secrets for all processes."""
    file, log = tmp_path / "authorities.pem", tmp_path / "keys"
    shutil.copy(certifi.where(), file)
    environ = {"SSL_CERT_FILE": str(file)} | ({"SSLKEYLOGFILE": str(log)} if key_log else {})
    read: list[str] = []
    make = ssl.create_default_context

    def count(*, cafile: str, capath: str | None) -> ssl.SSLContext:
        read.append(cafile)
        return make(cafile=cafile, capath=capath)

    monkeypatch.setattr(ssl, "create_default_context", count)

    read_ahead(environ)

    assert read == ([] if key_log else [str(file)])
    assert not log.exists()


@pytest.mark.parametrize("variable", [None, "SSL_CERT_FILE"])
def test_reading_ahead_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str | None
) -> None:
    """What is wrong, with certifi's file too, is said by the process that needs them."""
    missing = str(tmp_path / "missing")
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(certifi, "where", lambda: missing)

    read_ahead({variable: missing} if variable else {})
