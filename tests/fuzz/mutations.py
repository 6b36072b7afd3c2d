"""Damage that knows the formats: numbers of descriptors and records changed, sectors swapped, checksums made right."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from .udf_media import resigned

SECTOR = 2048
NUMBERS = (0, 1, 2, 3, 16, 33, 34, 255, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xC0000800, 0xFFFFFFFF)


@dataclass
class Seed:
    """An image of the corpus: its bytes, the sectors that hold structure, and the places of their fields."""

    name: str
    data: bytes
    sectors: list[int] = field(default_factory=list)
    fields: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        for number in range(len(self.data) // SECTOR):
            sector = self.data[number * SECTOR : (number + 1) * SECTOR]
            if any(sector):
                self.sectors.append(number)
                self.fields.extend(self._fields(number * SECTOR, sector))

    def _fields(self, base: int, sector: bytes) -> list[int]:
        if sector[1:6] == b"CD001":
            return [base + at for at in (0, 6, 71, 80, 88, 128, 132, 140, 156, 158, 166, 190, 813)] * 4
        if 34 <= sector[0] <= 120 and sector[32] == 1 and sector[33] == 0:
            return self._record_fields(base, sector)
        used = len(sector.rstrip(b"\0"))
        return [base + at for at in range(0, used, 4)]

    def _record_fields(self, base: int, sector: bytes) -> list[int]:
        found: list[int] = []
        at = 0
        while at < SECTOR and sector[at] >= 34:
            found += [base + at + field for field in (0, 1, 2, 10, 18, 25, 26, 32, 33)]
            use = at + 33 + sector[at + 32] + (1 - sector[at + 32] % 2)
            while use + 4 <= at + sector[at] and sector[use + 2] >= 4:
                found += [base + use + field for field in (0, 2, 4, 5, 8, 12, 20) if field < sector[use + 2]]
                use += sector[use + 2]
            at += sector[at]
        return found


class Mutant:
    """A seed with patches over it, readable like a file; counts what is read."""

    def __init__(self, seed: Seed, randomness: random.Random) -> None:
        self.size = len(seed.data)
        self.reads = 0
        self.bytes = 0
        self._base = seed.data
        self._sectors: dict[int, bytes] = {}
        for _ in range(randomness.choice((1, 1, 2, 3, 6))):
            randomness.choice((_byte, _number, _number, _number, _swap, _copy, _splice))(self, seed, randomness)
        if randomness.random() < 0.8:
            self._resign()
        if randomness.random() < 0.03:
            self.size = randomness.randrange(self.size)

    def read_at(self, offset: int, size: int) -> bytes:
        """Return the mutated bytes."""
        self.reads += 1
        size = max(0, min(size, self.size - offset))
        self.bytes += size
        out = self._base[offset : offset + size]
        for number, sector in self._sectors.items():
            start = number * SECTOR - offset
            if -SECTOR < start < size:
                first, last = max(0, start), min(size, start + SECTOR)
                out = out[:first] + sector[first - start : last - start] + out[last:]
        return out

    def sector(self, number: int) -> bytes:
        """Return one sector as it is now."""
        return self._sectors.get(number, self._base[number * SECTOR : (number + 1) * SECTOR])

    def write(self, offset: int, data: bytes) -> None:
        """Change bytes; a change ends with its sector."""
        number, at = divmod(offset, SECTOR)
        sector = self.sector(number)
        data = data[: len(sector) - at]
        self._sectors[number] = sector[:at] + data + sector[at + len(data) :]

    def _resign(self) -> None:
        for number, sector in self._sectors.items():
            if int.from_bytes(self._base[number * SECTOR : number * SECTOR + 2], "little") in (
                1,
                2,
                5,
                6,
                256,
                258,
                261,
                266,
            ):
                self._sectors[number] = resigned(sector)


def _byte(mutant: Mutant, seed: Seed, randomness: random.Random) -> None:
    at = randomness.choice(seed.fields) + randomness.randrange(4)
    mutant.write(at, bytes([randomness.choice((0, 1, 0xFF, 0x80, randomness.randrange(256)))]))


def _number(mutant: Mutant, seed: Seed, randomness: random.Random) -> None:
    at = randomness.choice(seed.fields)
    value = randomness.choice((*NUMBERS, randomness.choice(seed.sectors), len(seed.data), len(seed.data) // SECTOR))
    size = randomness.choice((1, 2, 4))
    mutant.write(at, (value & (1 << 8 * size) - 1).to_bytes(size, randomness.choice(("little", "little", "big"))))


def _swap(mutant: Mutant, seed: Seed, randomness: random.Random) -> None:
    one, two = randomness.choice(seed.sectors), randomness.choice(seed.sectors)
    first, second = mutant.sector(one), mutant.sector(two)
    mutant.write(one * SECTOR, second)
    mutant.write(two * SECTOR, first)


def _copy(mutant: Mutant, seed: Seed, randomness: random.Random) -> None:
    mutant.write(randomness.choice(seed.sectors) * SECTOR, mutant.sector(randomness.choice(seed.sectors)))


def _splice(mutant: Mutant, seed: Seed, randomness: random.Random) -> None:
    source, length = randomness.choice(seed.fields), randomness.choice((8, 16, 34, 64, 256))
    mutant.write(randomness.choice(seed.fields), seed.data[source : source + length])
