from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hiersearch.resident import turns
from hiersearch.resident.turns import Turns


def test_readers_read_side_by_side():
    own, together = Turns(), threading.Barrier(4, timeout=30)

    def read() -> None:
        with own.reading():
            together.wait()

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(read) for _ in range(4)]:
            done.result()


def test_alone_is_alone_and_goes_before_later_readers():
    own, order, reading = Turns(), [], threading.Event()
    finish = threading.Event()

    def read_first() -> None:
        with own.reading():
            reading.set()
            finish.wait(30)
            order.append("first")

    def change() -> None:
        with own.alone():
            order.append("alone")

    def read_later() -> None:
        with own.reading():
            order.append("later")

    threads = [threading.Thread(target=one) for one in (read_first, change, read_later)]
    threads[0].start()
    assert reading.wait(30)
    threads[1].start()
    while not own._waiting:
        pass
    threads[2].start()
    finish.set()
    for thread in threads:
        thread.join(30)
    assert order == ["first", "alone", "later"]


def test_who_waits_long_is_told(monkeypatch):
    monkeypatch.setattr(turns, "_MOMENT", 0.01)
    own, told = Turns(), threading.Event()

    def read() -> None:
        with own.reading(on_wait=told.set):
            pass

    with own.alone():
        reader = threading.Thread(target=read)
        reader.start()
        assert told.wait(30)
    reader.join(30)
    assert not reader.is_alive()


def test_an_error_ends_a_turn():
    own = Turns()
    for turn in (own.alone, own.reading, own.alone):
        with pytest.raises(KeyError), turn():
            raise KeyError
