"""Run ``tidemark`` and die by SIGKILL just before a chosen rename.

``python kill_at.py PATTERN COUNT ARGUMENT...``: the process is killed when it is about to
rename a file to a path that matches PATTERN, for the COUNT-th time.
"""

from __future__ import annotations

import fnmatch
import os
import signal
import sys
from typing import Any

from pipeline.cli import main

pattern, remaining = sys.argv[1], int(sys.argv[2])
sys.argv = ["tidemark", *sys.argv[3:]]


def _kill(event: str, arguments: tuple[Any, ...]) -> None:
    global remaining
    if event == "os.rename" and fnmatch.fnmatch(os.fspath(arguments[1]), pattern):
        remaining -= 1
        if remaining == 0:
            os.kill(os.getpid(), signal.SIGKILL)


sys.addaudithook(_kill)
main()
