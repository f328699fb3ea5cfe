"""Folders of certificates, in which OpenSSL finds one by the hash of its subject."""

import hashlib
from pathlib import Path

from cryptography import x509


def add_to_folder(folder: Path, certificate: Path) -> Path:
    """Link a certificate into a folder, as `openssl rehash` would; return the link.

    Args:
        folder: The folder.
        certificate: The file with it; its subject is short, and in ASCII without double blanks.
    """
    subject = x509.load_pem_x509_certificate(certificate.read_bytes()).subject
    small = x509.Name([x509.NameAttribute(part.oid, str(part.value).lower()) for part in subject])
    # What is hashed is the name without its outer header: OpenSSL's x509_name_canon.
    digest = hashlib.sha1(small.public_bytes()[2:], usedforsecurity=False).digest()
    link = folder / f"{int.from_bytes(digest[:4], 'little'):08x}.0"
    link.symlink_to(certificate.absolute())
    return link
