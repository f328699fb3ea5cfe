"""What a package bundles: its third-party licences in full, and a CycloneDX bill of materials."""

import hashlib
import re
import sys
import sysconfig
import tomllib
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from crusoe_provider.cli.installation import NAME
from crusoe_provider.version import __version__

_PROJECT: Final = Path(__file__).resolve().parents[2] / "pyproject.toml"
_FOREWORD: Final = f"""\
Third-party software in {NAME} {{version}}

Python {{python}} and its standard library, with the libraries that it is linked to: OpenSSL
(Apache-2.0), zlib (Zlib), the GNU C++ runtime (GPL-3.0 with the GCC Runtime Library Exception). The
start program of PyInstaller (GPL-2.0 with an exception that allows any use). And:
"""


def licences() -> str:
    """Return which software the package bundles, and its licences in full."""
    parts = [_FOREWORD.format(version=__version__, python=_python())]
    python = Path(sysconfig.get_path("stdlib"), "LICENSE.txt")
    if python.exists():
        parts.append(_section(f"Python {_python()}", "PSF-2.0", [python.read_text()]))
    for found in bundled():
        files = [
            file.read_text(encoding="utf-8")
            for file in found.files or ()
            if re.match(r"(licen[cs]e|copying|notice|copyright)", file.name, re.IGNORECASE)
        ]
        parts.append(_section(f"{found.name} {found.version}", _licence(found), files))
    return "\n".join(parts)


def bill_of_materials(package: Path, epoch: int) -> dict[str, Any]:
    """Return what a package bundles, in the form of CycloneDX 1.6; the same for the same bytes.

    Args:
        package: The zip file.
        epoch: Its time, in seconds since 1970.
    """
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    ours = f"pkg:generic/{NAME}@{__version__}"
    python = f"pkg:generic/python@{_python()}"
    components = {found.name: _component(found) for found in bundled()}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_OID, digest).urn,
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(epoch, UTC).isoformat(),
            "component": {
                "type": "application",
                "bom-ref": ours,
                "name": NAME,
                "version": __version__,
                "purl": ours,
                "licenses": [{"license": {"id": "MPL-2.0"}}],
                "hashes": [{"alg": "SHA-256", "content": digest}],
            },
        },
        "components": [
            {
                "type": "platform",
                "bom-ref": python,
                "name": "python",
                "version": _python(),
                "purl": python,
                "licenses": [{"license": {"id": "PSF-2.0"}}],
            },
            *components.values(),
        ],
        "dependencies": [
            {"ref": ours, "dependsOn": [python, *(c["bom-ref"] for c in components.values())]}
        ],
    }


def bundled() -> list[Distribution]:
    """Return the distributions that the provider needs to run, itself left out."""
    project = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]
    found: dict[str, Distribution] = {}
    waiting: list[str] = list(project["dependencies"])
    while waiting:
        needed = Requirement(waiting.pop())
        name = canonicalize_name(needed.name)
        if name in found or (needed.marker and not needed.marker.evaluate({"extra": ""})):
            continue
        found[name] = distribution(name)
        waiting += found[name].requires or ()
    return [found[name] for name in sorted(found)]


def _component(found: Distribution) -> dict[str, Any]:
    purl = f"pkg:pypi/{canonicalize_name(found.name)}@{found.version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": found.name,
        "version": found.version,
        "purl": purl,
        "licenses": [{"license": {"name": _licence(found)}}],
    }


def _licence(found: Distribution) -> str:
    stated = (found.metadata[name] for name in ("License-Expression", "License"))
    return next(filter(None, stated), "see its files").splitlines()[0]


def _section(name: str, licence: str, texts: Sequence[str]) -> str:
    rule = "=" * 78
    return "\n".join([rule, name, f"Licence: {licence}", rule, "", *texts])


def _python() -> str:
    return sys.version.split()[0]


if __name__ == "__main__":
    print(licences())
