"""The file that the state is kept in; it holds secrets."""

import os
import tempfile
from pathlib import Path


def replace_file(file: Path, text: str) -> None:
    """Put a new file in an old one's place: never half of one, and private from the start."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    with os.fdopen(handle, "w") as stream:
        stream.write(text)
    Path(name).replace(file)
