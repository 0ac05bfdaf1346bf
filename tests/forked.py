"""Programs that a test starts and kills, forked from one that has imported what they use, which takes seconds.

That one is the standard library's fork server: a process forked from the test's own would lack its threads. It knows
nothing of what a program does.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing.reduction import DupFd
from typing import Any, TextIO

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.preloaded"])


class Forked:
    """A running `python -c SCRIPT WORDS...`; what it prints is read from `stdout`, what it reads written to `stdin`."""

    def __init__(self, script: str, *words: object):
        read, out = os.pipe()
        given, write = os.pipe()
        self.stdout: TextIO = os.fdopen(read)
        self.stdin: TextIO = os.fdopen(write, "w")
        told = (script, [str(word) for word in words], DupFd(given), DupFd(out))
        self._process = CONTEXT.Process(target=_run, args=told)
        self._process.start()
        os.close(out)
        os.close(given)

    def poll(self) -> int | None:
        """How it ended, as `subprocess.Popen.poll` tells it."""
        return self._process.exitcode

    def wait(self) -> int:
        """How it ended, once it has."""
        self._process.join()
        assert self._process.exitcode is not None
        self.stdin.close()
        self.stdout.close()
        return self._process.exitcode

    def kill(self) -> int:
        """End it as nothing should be ended."""
        self._process.kill()
        return self.wait()

    def said(self) -> str:
        """All that it prints until it ends."""
        said = self.stdout.read()
        self.wait()
        return said


def _run(script: str, words: list[str], given: Any, out: Any) -> None:
    sys.argv = ["-c", *words]
    sys.stdin, sys.stdout = os.fdopen(given.detach()), os.fdopen(out.detach(), "w")
    exec(compile(script, "<program of a test>", "exec"), {"__name__": "__main__"})
    sys.stdout.flush()
