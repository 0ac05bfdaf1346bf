"""Wrong passwords and wrong keys, and how long whoever sent them has to wait.

Knows the clock. Does not know accounts or requests.
"""

from __future__ import annotations

import ipaddress
import time

FREE_TRIES = 5  # wrong ones of an account or an address before each further one takes longer
LONGEST_WAIT = 60.0  # seconds
FORGOTTEN = 900.0  # seconds after the last wrong one that earlier ones no longer count
MOST = 10_000  # accounts and addresses that are remembered; one machine has millions of addresses


class Tries:
    """What was wrong, by account and by address, and how long the next try has to wait."""

    def __init__(self) -> None:
        self._wrong: dict[str, tuple[int, float]] = {}
        self._right: dict[str, None] = {}

    def wait(self, *keys: str) -> float:
        """Seconds from now until somebody may try again."""
        now = time.monotonic()
        return max(0.0, *(self._until(key, now) - now for key in keys))

    def wrong(self, *keys: str) -> None:
        """Count a wrong password or key."""
        now = time.monotonic()
        for key in keys:
            count, at = self._wrong.pop(key, (0, now))
            self._wrong[key] = (count if now - at < FORGOTTEN else 0) + 1, now
        while len(self._wrong) > MOST:
            del self._wrong[next(iter(self._wrong))]  # the one that was wrong longest ago

    def right(self, *keys: str) -> None:
        """Forget them: somebody has signed in."""
        for key in keys:
            self._wrong.pop(key, None)

    def remember(self, key: str) -> None:
        """Remember what was right: wrong ones of others do not make it wait."""
        self._right.pop(key, None)
        self._right[key] = None
        while len(self._right) > MOST:
            del self._right[next(iter(self._right))]

    def was_right(self, key: str) -> bool:
        """Whether it was right before."""
        return key in self._right

    def _until(self, key: str, now: float) -> float:
        count, at = self._wrong.get(key, (0, now))
        if count < FREE_TRIES or now - at > FORGOTTEN:
            return now
        return at + min(LONGEST_WAIT, 2.0 ** (count - FREE_TRIES))


def sender(host: str) -> str:
    """The address that counts: of one in IPv6 its network, in which a machine takes as many as it likes."""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(found, ipaddress.IPv4Address):
        return host
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
