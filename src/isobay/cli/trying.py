"""Asking another isobay again: after cuts, and when it lets in no more requests for now."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import TypeVar

from isobay.cli import terminal
from isobay.errors import IsobayError, RateError

T = TypeVar("T")
LONGEST_PAUSE_SECONDS = 30.0
TURNS = 60  # waited for with one request, each as long as the service says
LONGEST_TURN_SECONDS = 60


def pause(error: IsobayError, failures: int, most: int) -> int:
    """Wait before the next try, longer each time; how many failed by then in a row, of which this is one.

    Raises the error where no try can help, or ``most`` failed before.
    """
    if not error.context.get("retry") or failures >= most:
        raise error
    seconds = min(0.5 * 2**failures, LONGEST_PAUSE_SECONDS)
    terminal.say(f"{error.message} Trying again in {seconds:g} seconds.")
    Event().wait(seconds)
    return failures + 1


def in_turn(ask: Callable[[], T]) -> T:
    """What is asked for, as soon as the service's limit of requests lets it through: to wait for that is no failure."""
    for _ in range(TURNS):
        try:
            return ask()
        except RateError as error:
            asked = error.context.get("seconds")
            seconds = min(max(asked, 1), LONGEST_TURN_SECONDS) if isinstance(asked, int) else 1
            terminal.say(f"{error.message} Going on in {seconds} seconds.")
            Event().wait(seconds)
    return ask()
