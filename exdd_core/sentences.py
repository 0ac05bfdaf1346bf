"""Numbers and names in sentences: "1,204 images", "a.png, b.png, c.png and 2 more".

Knows words. Does not know what is counted or named.
"""

from __future__ import annotations

from collections.abc import Sequence

NAMED = 3  # most names in a sentence


def count(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: "1 image", "1,204 images"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def quoted(words: object) -> str:
    """What somebody entered, in quotes, or "An empty field"."""
    return "An empty field" if words is None or not str(words).strip() else f'"{words}"'


def spelt(words: str) -> str:
    """A name or a sentence on one line that steers no terminal: what does not print becomes escapes such as \\x1b."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)


def percent(share: float, digits: int = 0) -> str:
    """A share from 0 to 1: "12 %"."""
    return f"{100 * share:.{digits}f} %"


def signed(value: float, digits: int = 1) -> str:
    """A change with its sign: "+0.8", "−1.2"; one that rounds to nothing: "+0.0"."""
    return f"{round(value, digits) + 0:+.{digits}f}".replace("-", "−")


def listed(names: Sequence[str], most: int = NAMED) -> str:
    """The first names and the number of others: "a.png, b.png, c.png and 2 more"."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def counted(names: Sequence[str], one: str = "image") -> str:
    """The number of names and the first ones: "5 images (a.png, b.png, c.png and 2 more)"."""
    return f"{count(len(names), one)} ({listed(names)})"
