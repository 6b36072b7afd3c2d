"""Everything a caller may ask of an image, each question bounded and, if wished, timed."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from isobay.errors import ImageError
from isobay.image import Image, open_image


class Readable(Protocol):
    """Bytes to open, and how much of them was read."""

    size: int
    reads: int
    bytes: int

    def read_at(self, offset: int, size: int) -> bytes:
        """Return bytes of the image."""
        ...


ENTRIES = 40
"""Entries looked at in each image: the corpus has about as many."""

READS_PER_CALL = 1000
BYTES_PER_CALL = 64 * 1024 * 1024


class Explorer:
    """Asks questions about one mutant after another and remembers the worst answers."""

    def __init__(self, timed: bool = False) -> None:
        # processor time, so that other work on the machine does not count
        self.timed = timed
        self.opened = self.refused = self.failed_calls = 0
        self.most_reads = self.most_bytes = 0
        self.slowest = 0.0
        self.slowest_question = ""
        self.mutant: Readable | None = None

    def explore(self, mutant: Readable, randomness: random.Random) -> None:
        """Open the mutant and ask about it. Only ImageError may come out of the reader; it ends the question."""
        self.mutant = mutant
        partial = randomness.random() < 0.7
        image = self._ask("open", lambda: open_image(mutant.read_at, mutant.size, allow_truncated=partial))
        if image is None:
            self.refused += 1
            return
        self.opened += 1
        self._ask("formats", lambda: (image.formats, image.volume_size, image.bootable))
        self._ask("boot_architectures", lambda: image.boot_architectures)
        if image.tree_names:
            self._explore_tree(image, randomness)

    def question(self, name: str, mutant: Readable, ask: Callable[[Image], Any]) -> None:
        """Open an image and ask one question, measured like the others."""
        self.mutant = mutant
        image = self._ask("open", lambda: open_image(mutant.read_at, mutant.size, allow_truncated=True))
        assert image is not None, f"{name} was to be opened"
        self._ask(name, lambda: ask(image))

    def _explore_tree(self, image: Image, randomness: random.Random) -> None:
        tree = image.tree(randomness.choice((image.tree_names[0], randomness.choice(image.tree_names))))
        walk = self._steps("walk", tree.walk())
        entries = list(itertools.islice(walk, ENTRIES))
        for entry in randomness.sample(entries, min(4, len(entries))):
            path, ignore_case = entry.path, randomness.random() < 0.5
            self._ask("stat", lambda path=path, fold=ignore_case: tree.stat(path, ignore_case=fold))
            if entry.kind == "file":
                self._ask("read", lambda path=path: tree.read(path, 0, 4096))
                for _ in itertools.islice(self._steps("content", tree.content(path)), 3):
                    pass
        self._ask("find", lambda: tree.find("/one/two/no such file"))

    def _ask(self, name: str, question: Callable[[], Any]) -> Any:
        return next(self._steps(name, _once(question)), None)

    def _steps(self, name: str, answers: Iterator[Any]) -> Iterator[Any]:
        """Pass on each answer, measuring the work for it; an ImageError ends them."""
        assert self.mutant is not None
        while True:
            reads, size, start = self.mutant.reads, self.mutant.bytes, time.thread_time() if self.timed else 0.0
            try:
                answer = next(answers)
            except (StopIteration, ImageError) as error:
                self.failed_calls += isinstance(error, ImageError)
                return
            finally:
                self._measure(name, self.mutant.reads - reads, self.mutant.bytes - size, start)
            yield answer

    def _measure(self, name: str, reads: int, size: int, start: float) -> None:
        if self.timed and (took := time.thread_time() - start) > self.slowest:
            self.slowest, self.slowest_question = took, name
        self.most_reads = max(self.most_reads, reads)
        self.most_bytes = max(self.most_bytes, size)
        assert reads <= READS_PER_CALL, f"{name} made {reads} reads"
        assert size <= BYTES_PER_CALL, f"{name} read {size} bytes"


def _once(question: Callable[[], Any]) -> Iterator[Any]:
    yield question()
