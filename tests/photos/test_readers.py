from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from hiersearch.errors import UnreadablePhotoError
from hiersearch.photos import PhotoReaders, content_hash, read_photo

HANG = 60
"""Seconds after which a test has failed for certain: a guard, not a measurement."""

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def photo(path: Path, size: tuple[int, int] = (96, 64), seed: int = 1) -> Path:
    image = Image.linear_gradient("L").resize(size).rotate(7 * seed)
    exif = Image.Exif()
    exif[274], exif[306] = 6, "2021:07:03 14:05:59"
    image.convert("RGB").save(path, "JPEG", exif=exif)
    return path


def endless(path: Path) -> Path:
    """A progressive JPEG that takes minutes: its last scan comes again and again."""
    file = BytesIO()
    Image.new("L", (1024, 1024), 90).save(file, "JPEG", progressive=True, quality=5)
    data = file.getvalue()
    last = data.rindex(b"\xff\xda")
    path.write_bytes(data[:last] + data[last:-2] * 100_000 + data[-2:])
    return path


def reason(readers: PhotoReaders, path: Path) -> str:
    with pytest.raises(UnreadablePhotoError) as caught:
        readers.read(path, min_side=32)
    return caught.value.message


def children(pid: int) -> set[int]:
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended meanwhile
            found.update(map(int, (task / "children").read_text().split()))
    return found


def wait_until(condition, seconds: float = HANG) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_photos_are_as_they_are_read_here(tmp_path: Path) -> None:
    paths = [photo(tmp_path / f"{i}.jpg", (90 + i, 60 + 3 * i), i) for i in range(5)]
    with PhotoReaders(2) as readers:
        for path in paths:
            for min_side in (None, 16):
                found = readers.read(path, min_side=min_side)
                expected = read_photo(path, min_side=min_side)
                assert found.image.tobytes() == expected.image.tobytes()
                for name in ("width", "height", "taken", "content_hash", "note"):
                    assert getattr(found, name) == getattr(expected, name)
            assert readers.content_hash(path) == content_hash(path)


def test_reasons_are_those_of_reading_here(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("hello")
    whole = photo(tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    with PhotoReaders() as readers:
        for name in ("empty.jpg", "text.jpg", "half.jpg", "gone.jpg", "null\0.jpg", "\udcff.jpg"):
            path = tmp_path / name
            with pytest.raises(UnreadablePhotoError) as caught:
                read_photo(path, min_side=32)
            assert reason(readers, path) == caught.value.message


def test_a_file_that_takes_too_long_costs_that_file_alone(tmp_path: Path) -> None:
    slow, quick = endless(tmp_path / "slow.jpg"), photo(tmp_path / "quick.jpg")
    with PhotoReaders(seconds=1.5) as readers:
        assert readers.read(quick).width == 64
        assert reason(readers, slow) == "takes more than 1.5 s to decode"
        assert readers.read(quick).width == 64


def test_who_waits_can_be_told_for_what(tmp_path: Path) -> None:
    slow = endless(tmp_path / "slow.jpg")
    with PhotoReaders(seconds=3) as readers:
        assert readers.waiting_for() is None
        thread = threading.Thread(target=reason, args=(readers, slow))
        thread.start()
        wait_until(lambda: readers.waiting_for() is not None)
        waiting = readers.waiting_for()
        assert waiting is not None
        assert waiting[0] == slow
        assert waiting[1] >= 0
        thread.join(HANG)
        assert readers.waiting_for() is None


def test_closing_ends_what_is_being_read(tmp_path: Path) -> None:
    slow = endless(tmp_path / "slow.jpg")
    readers = PhotoReaders()
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(reason(readers, slow))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: readers.waiting_for() is not None)
    readers.close()
    for thread in threads:
        thread.join(HANG)
    assert found == ["reading was stopped"] * 3
    assert reason(readers, slow) == "reading was stopped"


@on_linux
def test_no_process_is_left(tmp_path: Path) -> None:
    before = children(os.getpid())
    with PhotoReaders(2) as readers:
        readers.read(photo(tmp_path / "a.jpg"))
        begun = children(os.getpid()) - before
        assert len(begun) == 1
        reason(readers, tmp_path / "gone.jpg")
        assert children(os.getpid()) - before == begun  # a refusal is an answer like others
    assert children(os.getpid()) <= before


@on_linux
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_readers_end_with_who_began_them(number: signal.Signals, tmp_path: Path) -> None:
    """Even amid a file that takes long, and on the first interrupt, which readers do not hear."""
    slow = endless(tmp_path / "slow.jpg")
    program = (
        "import sys; from pathlib import Path; from hiersearch.photos import PhotoReaders\n"
        "with PhotoReaders() as readers: readers.read(Path(sys.argv[1]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(slow)],
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    wait_until(lambda: children(process.pid))
    (reader,) = children(process.pid)
    wait_until(lambda: b"decoding" in Path(f"/proc/{reader}/cmdline").read_bytes())
    time.sleep(0.5)
    os.killpg(process.pid, number) if number == signal.SIGINT else process.kill()
    process.communicate(timeout=HANG)
    wait_until(lambda: not Path(f"/proc/{reader}").exists())


def test_a_process_that_dies_is_replaced(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.jpg")
    with PhotoReaders() as readers:
        readers.read(path)
        (process,) = readers._idle
        process._process.kill()
        process._process.wait()
        # No file made it die, so none is refused for it.
        assert readers.read(path).width == 64


def test_a_photo_that_needs_much_memory_is_read_alone(tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    Image.new("RGB", (9_000, 9_000), (0, 0, 200)).save(large, compress_level=1)  # 324 MB
    small = [photo(tmp_path / f"{i}.jpg", seed=i) for i in range(4)]
    found: dict[Path, tuple[int, int]] = {}
    with PhotoReaders(2) as readers:

        def read(path: Path) -> None:
            got = readers.read(path, min_side=64)
            found[path] = (got.width, got.height)

        threads = [threading.Thread(target=read, args=(path,)) for path in (large, *small)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(HANG)
    assert found == {large: (9_000, 9_000)} | dict.fromkeys(small, (64, 96))


def test_a_photo_that_needs_too_much_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("RGB", (14_000, 14_000)).save(path, compress_level=1)
    with PhotoReaders() as readers:
        assert reason(readers, path) == "needs more than 600 MB of memory to decode"


@on_linux
def test_memory_is_limited_whatever_headers_say(tmp_path: Path) -> None:
    """A text that is packed 1,000 times over is unpacked by who reads the photo."""
    path = photo(tmp_path / "a.jpg")
    with PhotoReaders() as readers:
        readers.read(path)
        (process,) = readers._idle
        status = Path(f"/proc/{process._process.pid}/limits").read_text().splitlines()
        (line,) = [line for line in status if line.startswith("Max data size")]
        assert line.split()[3] == str(264 * 2**20)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes with names")
def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "link.jpg").symlink_to("/dev/zero")
    with PhotoReaders() as readers:
        assert reason(readers, tmp_path / "pipe.jpg") == "not a regular file"
        assert reason(readers, tmp_path / "link.jpg") == "not a regular file"
        with pytest.raises(UnreadablePhotoError, match="not a regular file"):
            readers.content_hash(tmp_path / "link.jpg")


def test_where_no_process_can_begin_photos_are_read_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    path = photo(tmp_path / "a.jpg")
    with PhotoReaders() as readers:
        assert readers.read(path).image.tobytes() == read_photo(path).image.tobytes()
        assert readers.content_hash(path) == content_hash(path)


def test_code_in_the_current_folder_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit")
    (tmp_path / "PIL.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    with PhotoReaders() as readers:
        assert readers.read(photo(tmp_path / "a.jpg")).width == 64
