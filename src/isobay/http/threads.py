"""The threads in which requests do their work, beside the loop that speaks to callers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from isobay.errors import UnavailableError

T = TypeVar("T")
_Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]


class Threads:
    """A few threads behind one queue: a third of the cost of a ThreadPoolExecutor's way there and back."""

    def __init__(self, count: int, waiting: int | None = None) -> None:
        """``waiting`` is how many jobs may wait for a thread; as many as there are where it is None."""
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._waiting = waiting
        for number in range(count):
            Thread(target=self._work, name=f"isobay-{number}", daemon=True).start()

    def run(self, function: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        """Run a function in a thread; await what it gives or raises.

        Raises UnavailableError when too many wait already.
        """
        if self._waiting is not None and self._jobs.qsize() >= self._waiting:
            raise UnavailableError("isobay has too much of this to do at once. Try again in a minute.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put((loop, future, function, arguments))
        return future

    def _work(self) -> None:
        while True:
            loop, future, function, arguments = self._jobs.get()
            try:
                result = function(*arguments)
            except BaseException as error:  # noqa: BLE001 -- handed to the awaiting coroutine, whatever it is
                loop.call_soon_threadsafe(_fail, future, error)
            else:
                loop.call_soon_threadsafe(_finish, future, result)
            # What a job held must not live until the next one comes.
            del loop, future, function, arguments


def _finish(future: asyncio.Future[Any], result: Any) -> None:
    if not future.cancelled():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.cancelled():
        future.set_exception(error)
