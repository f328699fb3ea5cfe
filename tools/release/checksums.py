"""Write the registry's manifest and the checksums of all packages in `dist`, and sign those.

Nothing has to be installed for it, but gpg for a signature: it runs where the signing key is.
"""

import argparse
import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Final

from crusoe_provider.cli.installation import NAME
from crusoe_provider.version import __version__

REPOSITORY: Final = Path(__file__).resolve().parents[2]
DIST: Final = REPOSITORY / "dist"
# Which versions of the plugin protocol a release speaks; the registry asks for it by this name.
MANIFEST: Final = REPOSITORY / "terraform-registry-manifest.json"


class ChecksumsError(Exception):
    """The checksums cannot be written; the message says why."""


def checksums(output: Path, key: str | None) -> list[Path]:
    """Write the manifest and the checksums of all packages of this version, and sign those.

    Args:
        output: The folder with the packages, and with their bills of materials.
        key: What names the key to `gpg`; `None` for no signature.

    Returns:
        The new files.

    Raises:
        ChecksumsError: There is no package, or gpg has failed.
    """
    prefix = f"{NAME}_{__version__}"
    if not any(output.glob(f"{prefix}_*.zip")):
        raise ChecksumsError(f"There is no package of version {__version__} in {output}.")
    manifest = output / f"{prefix}_manifest.json"
    manifest.write_bytes(MANIFEST.read_bytes())
    files = [*output.glob(f"{prefix}_*.zip"), *output.glob(f"{prefix}_*.cdx.json"), manifest]
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    sums = output / f"{prefix}_SHA256SUMS"
    sums.write_text("".join(f"{digests[name]}  {name}\n" for name in sorted(digests)))
    signature = output / f"{sums.name}.sig"
    signature.unlink(missing_ok=True)
    if key is None:
        return [manifest, sums]
    command = ["gpg", "--batch", "--local-user", key, "--detach-sign", "--output"]
    if subprocess.run([*command, signature, sums], check=False).returncode:
        raise ChecksumsError(f"gpg could not sign with the key {key}.")
    return [manifest, sums, signature]


def main() -> int:
    """Do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=DIST, help="default: dist")
    parser.add_argument("--gpg-key", help="sign with this key")
    options = parser.parse_args()
    try:
        for file in checksums(options.output, options.gpg_key or None):
            print(file)
    except ChecksumsError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
