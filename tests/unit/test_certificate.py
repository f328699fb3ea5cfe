"""The certificate of the plugin's socket, read by a library that did not write it."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from crusoe_provider.providerserver import certificate as certificate_module
from crusoe_provider.providerserver.certificate import new_certificate

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


def test_it_is_a_self_signed_certificate_for_localhost() -> None:
    """As go-plugin checks it: name, usage, and itself as the authority."""
    made = new_certificate(NOW)

    certificate = x509.load_der_x509_certificate(made.der)

    assert x509.load_pem_x509_certificate(made.pem) == certificate
    certificate.verify_directly_issued_by(certificate)
    assert certificate.version is x509.Version.v3
    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.value == "localhost"
    extensions = certificate.extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    authority = extensions.get_extension_for_class(x509.BasicConstraints)
    assert (authority.critical, authority.value.ca) == (True, True)
    usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]


@pytest.mark.parametrize("now", [NOW, datetime(2049, 12, 20, tzinfo=UTC), NOW.replace(year=2060)])
def test_it_is_valid_for_a_month_and_a_little_before(now: datetime) -> None:
    """Also around 2050, from when times are written in another form."""
    certificate = x509.load_der_x509_certificate(new_certificate(now).der)

    assert certificate.not_valid_before_utc == now - timedelta(hours=1)
    assert certificate.not_valid_after_utc == now + timedelta(days=30)


def test_the_key_belongs_to_it_and_is_in_no_repr() -> None:
    """A P-256 key."""
    made = new_certificate(NOW)

    key = serialization.load_pem_private_key(made.key_pem, password=None)

    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert x509.load_der_x509_certificate(made.der).public_key() == key.public_key()
    assert "PRIVATE" not in repr(made)


def test_a_library_that_wants_its_own_constructor_called_gets_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it asks a signature algorithm for may change."""

    class Unusable(ec.ECDSA):
        def __init__(self) -> None:
            """Leave out everything."""

    monkeypatch.setattr(certificate_module, "_EcdsaWithSha256", Unusable)

    certificate = x509.load_der_x509_certificate(new_certificate(NOW).der)

    certificate.verify_directly_issued_by(certificate)


def test_each_process_has_its_own() -> None:
    """Nothing is kept that could be used again."""
    first, second = (x509.load_der_x509_certificate(new_certificate(NOW).der) for _ in range(2))

    assert first.serial_number != second.serial_number
    assert first.public_key() != second.public_key()
    assert first.serial_number > 0
