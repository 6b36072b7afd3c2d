"""With PostgreSQL workers stand in for one another: for one that died, and for one that only seemed to."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from series import LOCAL, MIB, Series, Workers, check_nothing_left, look

from processes import until
from servers import Postgresql
from service import serving
from sources import nginx

TAKEN_OVER_SECONDS = 30
BYTES_PER_SECOND = 6 * MIB  # an import takes longer than a worker does to start


@pytest.fixture
def series(root: Path, large_image: Path) -> Iterator[Series]:
    """Slow imports of the image."""
    with nginx(root, bytes_per_second=BYTES_PER_SECOND) as source:
        yield Series(source, root, large_image, large_image)


def test_others_take_over(tmp_path: Path, series: Series, postgresql_server: Postgresql):
    """What a killed and a frozen worker had goes on elsewhere within 30 s; the frozen one wakes and changes nothing."""
    data_dir = tmp_path / "data"
    with postgresql_server.database(template=postgresql_server.migrated) as url:
        options = {**LOCAL, "ISOBAY_DATABASE_URL": url}
        with serving(data_dir, **{**options, "ISOBAY_TASKS_AT_ONCE": "0"}) as service:
            behind = service.behind
            objects = behind.settings.objects_dir
            with (
                Workers(data_dir, **options, ISOBAY_TASKS_AT_ONCE="1") as first,
                Workers(data_dir, **options) as others,
            ):
                first.start()
                frozen = first.start()
                wanted = [series.want(service, count) for count in (1, 2)]

                def attempts() -> list[int]:
                    return [look(behind, each)[0].attempt for each in wanted]

                assert until(lambda: attempts() == [1, 1])
                others.start()
                wanted.append(series.want(service, 3))
                assert until(lambda: attempts() == [1, 1, 1])
                assert until(lambda: all(path.stat().st_size > MIB for path in objects.rglob("*.part")))
                frozen.send_signal(signal.SIGSTOP)
                first.kill()
                assert until(lambda: attempts() == [2, 2, 1], TAKEN_OVER_SECONDS), attempts()
                assert until(lambda: all(look(behind, each)[0].ended for each in wanted))
                # Without their objects' ids: equal images take those of one when they are ready.
                done = [look(behind, each)[:2] for each in wanted]
                assert len(list(objects.rglob("*.part"))) == 1
                frozen.send_signal(signal.SIGCONT)
                assert until(lambda: not list(objects.rglob("*.part")))
                assert [look(behind, each)[:2] for each in wanted] == done
                series.finish(service)
                first.end()
                others.end()
            check_nothing_left(behind)
