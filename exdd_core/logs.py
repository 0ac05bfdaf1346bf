"""The log: one JSON object a line, on standard error or in the file that EXDD_LOG names.

    {"time": "2026-01-31T09:30:00.123+00:00", "level": "ERROR", "name": "exdd_core.workspace.failures",
     "said": "Build v4 failed", "user": "ann", "job": "5f3a0c1e9b27", "error": "8d01c2ee", "traceback": "..."}

`error` is the number that people see in the sentence of an unexpected error. Knows logging, and whose job a thread
runs. Does not know accounts, requests or the table of jobs.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from exdd_core.errors import BadInput

FILE = "EXDD_LOG"
OURS = ("exdd_core", "pages", "app", "__main__")  # loggers whose information is written, not only warnings
_NUMBER = "exdd_error_number"  # attribute of an exception that has been logged
_job: ContextVar[tuple[str, str]] = ContextVar("exdd_job", default=("", ""))  # id, and who ordered it
_asks: Callable[[], str] = str


class Lines(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        known = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "name": record.name,
            "said": record.getMessage(),
            "user": user(),
            "job": _job.get()[0],
            "error": getattr(record, "error", ""),
            "traceback": self.formatException(record.exc_info) if record.exc_info else "",
        }
        return json.dumps({key: value for key, value in known.items() if value}, ensure_ascii=False)


class _StandardError(logging.StreamHandler):
    """Writes to what standard error is at the moment, which tests and notebooks replace."""

    @property
    def stream(self) -> object:
        return sys.stderr

    @stream.setter
    def stream(self, stream: object) -> None:
        """Nothing to keep."""


def _hold_streams() -> None:
    """Open the streams of a program that was started without them. Otherwise the next file, such as the database, would
    take the number of standard output or error, to which libraries in C write their warnings."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def begin(asks: Callable[[], str], level: int = logging.INFO) -> None:
    """Write the log of this process as JSON lines. Raises `BadInput` where EXDD_LOG names no file to write to.

    asks: says who is being served, "" for nobody. level: of our own lines on standard error; a file gets all of them.
    """
    global _asks
    _hold_streams()
    place, root = os.environ.get(FILE), logging.getLogger()
    try:  # the file may be moved away and is then begun anew, as logrotate expects
        handler = logging.handlers.WatchedFileHandler(place, encoding="utf-8") if place else _StandardError()
    except OSError as error:
        raise BadInput(
            f"The log cannot be written to {place} ({error.strerror}); change or unset {FILE}."
        ) from None
    handler.setFormatter(Lines())
    for former in [one for one in root.handlers if isinstance(one.formatter, Lines)]:
        root.removeHandler(former)
    root.addHandler(handler)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO if place else level)
    logging.captureWarnings(True)
    _asks = asks


def take_over(name: str) -> None:
    """Let the loggers of a library, and those below it, write to our log and nowhere else."""
    for known in list(logging.Logger.manager.loggerDict):
        if known == name or known.startswith(f"{name}."):
            logger = logging.getLogger(known)
            logger.handlers.clear()
            logger.propagate = True


def user() -> str:
    """Who is being served, or who ordered the job that this thread runs; "" where nobody did."""
    return _job.get()[1] or _asks()


@contextmanager
def job(id: str, who: str) -> Iterator[None]:
    """Lines of this thread are about a job. who: ordered it."""
    before = _job.set((id, who))
    try:
        yield
    finally:
        _job.reset(before)


def is_numbered(error: BaseException) -> bool:
    """Whether an error was unexpected, and is in the log by its number."""
    return hasattr(error, _NUMBER)


def number_of(error: BaseException, said: str) -> str:
    """The number of an unexpected error, 8 hexadecimal digits. Logs the error the first time that it is asked for."""
    known = getattr(error, _NUMBER, "")
    if not known:
        known = secrets.token_hex(4)
        setattr(error, _NUMBER, known)
        about = (type(error), error, error.__traceback__)
        logging.getLogger(__name__).error(said, exc_info=about, extra={"error": known})
    return str(known)
