"""A SIGTERM between two lines, wherever that is: what a test by the clock meets once in a thousand.

`python -m support.signals MODULE:FUNCTION LINES` calls the function LINES times and sends the
signal to this very process before the first line that runs, then before the second, and so on. The
function gets what it is to call when signals may come. A call that hangs ends the process with 1
and a traceback.
"""

import faulthandler
import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

_TESTS = Path(__file__).parents[1]
_Function = Callable[[Callable[[], None]], None]
# Far more than what is called takes.
_SECONDS = 20.0
# After this long whatever is called has no more lines to run, and waits.
_ALL_LINES_RUN = 0.3


def survives_a_signal_at_any_line(function: str, lines: int) -> bool:
    """Tell whether a function returns whenever a SIGTERM comes.

    Args:
        function: Which, as `module:name`.
        lines: How many of the lines to try.
    """
    ended = subprocess.run(
        [sys.executable, "-m", "support.signals", function, str(lines)],
        env=os.environ | {"PYTHONPATH": f"{_TESTS}{os.pathsep}{_TESTS.parent / 'tools'}"},
        cwd=_TESTS.parent,
        check=False,
    )
    return ended.returncode == 0


def _call(function: _Function, line: int) -> None:
    left = line

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal left
        left -= event == "line"
        if left == 0:
            end()
        return trace

    def end(*_: object) -> None:
        sys.settrace(None)
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.kill(os.getpid(), signal.SIGTERM)

    def begin() -> None:
        signal.signal(signal.SIGALRM, end)
        signal.setitimer(signal.ITIMER_REAL, _ALL_LINES_RUN)
        frame: FrameType | None = sys._getframe(1)
        while frame:
            frame.f_trace = trace
            frame = frame.f_back
        sys.settrace(trace)

    faulthandler.dump_traceback_later(_SECONDS, exit=True)
    function(begin)
    sys.settrace(None)
    signal.setitimer(signal.ITIMER_REAL, 0)


def _main() -> None:
    module, _, name = sys.argv[1].partition(":")
    function: _Function = getattr(importlib.import_module(module), name)
    for line in range(1, int(sys.argv[2]) + 1):
        _call(function, line)


if __name__ == "__main__":
    _main()
