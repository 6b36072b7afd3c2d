"""Workers read the images that lie there again, each once in a while, and find what became of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from stocked import OLD, Meanwhile, Stock, cut, flip, unlink

from isobay.clock import utc_now
from isobay.engines.local.verifying import Verifying
from isobay.tasks import StoppedError

QUICK = 1 << 40
DAYS = 30


def _verify(stock: Stock, rate: int = QUICK) -> None:
    Verifying(stock.built.catalog, stock.built.objects, rate, DAYS).verify(Event())


def _due(stock: Stock) -> list[str]:
    with stock.built.catalog.reading() as tx:
        return stock.built.catalog.checks.due(tx, utc_now(), utc_now(), 10)


@pytest.mark.parametrize(("damage", "found"), [(flip, "sha256 is"), (cut, "instead of"), (unlink, "missing")])
def test_what_lies_there_for_long_is_verified(stock, other_image, damage, found):
    """A damaged image fails with a message; a sound one stays; neither is read again."""
    sound, damaged = stock.add(other_image), stock.add()
    for iso in (sound, damaged):
        stock.age(iso.id)
    damage(stock.path(damaged.id))
    before = stock.files()
    _verify(stock)
    failed = stock.iso(damaged.id)
    assert (failed.ready, failed.status) == (False, "failed")
    assert found in failed.status_message
    assert stock.iso(sound.id).ready
    assert stock.files() == before
    assert stock.damaged() == 1
    flip(stock.path(sound.id))
    _verify(stock)
    assert stock.iso(sound.id).ready
    with stock.built.catalog.reading() as tx:  # nobody has it in hand, so it is due when it is old again
        assert stock.built.catalog.checks.due(tx, utc_now(), OLD, 10) == [stock.kept(sound.id).object_id]
    assert stock.check(repairs=True)


def test_what_came_lately_counts_as_verified(stock):
    """It was hashed when it came."""
    iso = stock.add()
    flip(stock.path(iso.id))
    _verify(stock)
    assert stock.iso(iso.id).ready
    stock.age(iso.id)
    _verify(stock)
    assert not stock.iso(iso.id).ready


def test_a_double_rescues_what_is_found_damaged(stock):
    """As it does in a repair."""
    first, second = stock.add(), stock.add(settled=False)
    stock.age(first.id)
    flip(stock.path(first.id))
    _verify(stock)
    assert stock.content(first.id) == stock.content(second.id) == stock.image.read_bytes()
    assert len(stock.files()) == 1


def test_a_store_that_is_empty_fails_no_iso(stock):
    """Its disk is most likely not mounted, and the image is there again when it is."""
    iso = stock.add()
    stock.age(iso.id)
    stock.path(iso.id).rename(stock.built.settings.data_dir / "elsewhere")
    _verify(stock)
    assert stock.iso(iso.id).ready
    _verify(stock)
    assert stock.iso(iso.id).ready


def test_one_at_a_time_verifies_an_image(stock):
    """What another worker has in hand is left alone, until it gave no sign of life for long."""
    iso = stock.add()
    stock.age(iso.id)
    flip(stock.path(iso.id))
    object_id = stock.kept(iso.id).object_id
    checks = stock.built.catalog.checks
    now = utc_now()
    with stock.built.catalog.writing() as tx:
        assert checks.claim(tx, object_id, now, now, now)
    _verify(stock)
    assert stock.iso(iso.id).ready
    with stock.built.catalog.writing() as tx:
        assert checks.renew(tx, object_id, now, OLD)
    _verify(stock)
    assert not stock.iso(iso.id).ready


def test_what_another_worker_takes_meanwhile_is_left_to_it(stock, other_image):
    """Also where it was free when this one made its list."""
    first, second = stock.add(other_image), stock.add()
    stock.age(first.id)
    stock.age(second.id, "2020-01-02T00:00:00.000000Z")
    flip(stock.path(second.id))
    second_id, now = stock.kept(second.id).object_id, utc_now()

    def take() -> None:
        with stock.built.catalog.writing() as tx:
            stock.built.catalog.checks.claim(tx, second_id, now, now, now)

    objects = Meanwhile(stock.built.settings.objects_dir, take)
    Verifying(stock.built.catalog, objects, QUICK, DAYS).verify(Event())
    assert stock.iso(second.id).ready


def test_a_worker_that_is_told_to_end_stops_reading_at_once(stock):
    """However slowly it reads; another one then begins anew when the claim is dead."""
    iso = stock.add()
    stock.age(iso.id)
    stop = Event()
    verifying = Verifying(stock.built.catalog, stock.built.objects, 1, DAYS)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(verifying.verify, stop)
        while not _claimed(stock):
            assert not running.done()
        stop.set()
        with pytest.raises(StoppedError):
            running.result(30)
    assert _due(stock) == [stock.kept(iso.id).object_id]


def _claimed(stock: Stock) -> bool:
    with stock.built.catalog.reading() as tx:
        return not stock.built.catalog.checks.due(tx, utc_now(), OLD, 10)


def test_with_no_rate_nothing_is_verified(stock):
    """0 puts it off."""
    iso = stock.add()
    stock.age(iso.id)
    flip(stock.path(iso.id))
    Verifying(stock.built.catalog, stock.built.objects, 0, DAYS).run(Event())
    assert stock.iso(iso.id).ready
