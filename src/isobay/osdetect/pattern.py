"""The patterns of libosinfo's rules: regular expressions that match from the start of a field."""

from __future__ import annotations

import functools
import re

__all__ = ["LONGEST", "literal_prefix", "matches", "matches_version", "problem_with"]

LONGEST = 1000  # characters of one pattern; the longest of osinfo-db has 141

SPECIAL = frozenset(".^$*+?{}[]\\|()")
REPEATS = frozenset("*?{")


@functools.lru_cache(maxsize=8192)
def literal_prefix(pattern: str) -> tuple[str, bool]:
    """Return the text that whatever ``pattern`` matches must start with, and whether that is all it asks for.

    The prefix may be shorter than it could be, never wrong: matching by ``str.startswith`` first is safe.
    """
    body = pattern.removeprefix("^")
    text: list[str] = []
    at = 0
    while at < len(body):
        character, width = body[at], 1
        if character == "\\" and at + 1 < len(body) and not body[at + 1].isalnum():
            character, width = body[at + 1], 2
        elif character in SPECIAL:
            break
        if at + width < len(body) and body[at + width] in REPEATS:
            break
        text.append(character)
        at += width
    whole = at == len(body)
    if not whole and _has_alternatives(body):
        return "", False
    return "".join(text), whole


def _has_alternatives(body: str) -> bool:
    """Whether a ``|`` stands outside every group, so that what comes before it need not be there."""
    depth, in_class, at = 0, False, 0
    while at < len(body):
        character = body[at]
        if character == "\\":
            at += 1
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
        else:
            depth += (character == "(") - (character == ")")
            if character == "|" and depth <= 0:
                return True
        at += 1
    return False


@functools.lru_cache(maxsize=8192)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def matches(pattern: str | None, text: str) -> bool:
    """Whether ``text`` starts with what ``pattern`` describes. An absent pattern matches anything."""
    if pattern is None:
        return True
    prefix, whole = literal_prefix(pattern)
    if not text.startswith(prefix):
        return False
    return whole or _compiled(pattern).match(text) is not None


def matches_version(pattern: str | None, version: str) -> bool:
    """Whether ``pattern`` describes all of ``version``, or all before a dot: ``10`` is 10 and 10.1, never 100."""
    if pattern is None:
        return True
    numbers = version.split(".")[:5]
    wholes = [version, *(".".join(numbers[:count]) for count in range(1, len(numbers)))]
    return any(_compiled(pattern).fullmatch(whole) for whole in wholes)


def problem_with(pattern: str) -> str:
    """Say why ``pattern`` cannot be used, or return an empty text when it can."""
    if len(pattern) > LONGEST:
        return f"it is longer than {LONGEST} characters"
    if literal_prefix(pattern)[1]:
        return ""
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return f"it is no regular expression ({error})"
    return ""
