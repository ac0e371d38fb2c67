"""What hostile files do to an index: python benchmarks/hostile.py [COUNT] [SEED] [FOLDER].

COUNT files (4,000) are small photos of all formats with bytes flipped, cut, moved or put in
between; to them come the bombs of benchmarks/bombs.py, and the files of FOLDER, copied under names
of photos. The installed command indexes them into a new index; and, to compare, one small photo.

Prints how it ended, how many files its report accounts for, the reasons by number, the seconds that
it took, and the greatest memory (PSS, summed over its processes) of both runs.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bombs import saved, write_bombs
from PIL import Image

MIB = 2**20
NUMBERS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\x01", b"\x80\0\0\0")


def seeds() -> dict[str, bytes]:
    """Small photos by suffix and kind."""
    y, x = np.mgrid[:64, :96]
    noise = np.random.default_rng(0).integers(0, 60, (64, 96, 3))
    rgb = Image.fromarray((np.stack([2 * x, 3 * y, x + y], axis=-1) + noise).astype(np.uint8))
    rgba, grey = rgb.convert("RGBA"), rgb.convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[274], exif[306] = 6, "2020:01:01 00:00:00"
    made = {
        "a.jpg": saved(rgb, "JPEG", exif=exif.tobytes()),
        "progressive.jpg": saved(rgb, "JPEG", progressive=True),
        "cmyk.jpg": saved(rgb.convert("CMYK"), "JPEG"),
        "a.mpo": saved(rgb, "MPO", save_all=True, append_images=[rgb]),
        "a.png": saved(rgb, "PNG", exif=exif.tobytes()),
        "palette.png": saved(rgb.convert("P"), "PNG", transparency=3),
        "deep.png": saved(deep, "PNG"),
        "moving.png": saved(rgb, "PNG", save_all=True, append_images=[rgba]),
        "a.gif": saved(rgb, "GIF"),
        "moving.gif": saved(rgb, "GIF", save_all=True, append_images=[grey, rgb]),
        "a.webp": saved(rgb, "WEBP", exif=exif.tobytes()),
        "lossless.webp": saved(rgba, "WEBP", lossless=True),
        "a.avif": saved(rgb, "AVIF", speed=10),
        "alpha.avif": saved(rgba, "AVIF", speed=10),
        "a.bmp": saved(rgb, "BMP"),
        "palette.bmp": saved(rgb.convert("P"), "BMP"),
        "a.dib": saved(rgb, "DIB"),
        "raw.tif": saved(rgb, "TIFF"),
        "lzw.tif": saved(rgb, "TIFF", compression="tiff_lzw"),
        "deflate.tif": saved(rgba, "TIFF", compression="tiff_adobe_deflate"),
        "jpeg.tif": saved(rgb, "TIFF", compression="jpeg"),
        "fax.tif": saved(rgb.convert("1"), "TIFF", compression="group4"),
        "float.tif": saved(grey.convert("F"), "TIFF"),
        "big.tif": saved(rgb, "TIFF", big_tiff=True),
    }
    try:
        import pillow_heif
    except ImportError:
        return made
    from io import BytesIO

    file = BytesIO()
    pillow_heif.from_pillow(rgb).save(file)
    return made | {"a.heic": file.getvalue()}


def mutated(data: bytes, chance: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        at = chance.randrange(len(out)) if chance.random() < 0.5 else chance.randrange(64)
        at = min(at, len(out) - 1)
        match chance.randrange(7):
            case 0:
                out[at] = chance.randrange(256)
            case 1:
                out[at] ^= 1 << chance.randrange(8)
            case 2:
                number = chance.choice(NUMBERS)
                out[at : at + 4] = number if chance.random() < 0.5 else number[::-1]
            case 3:
                del out[at : at + chance.randrange(1, 40)]
            case 4:
                out[at:at] = chance.randbytes(chance.randrange(1, 40))
            case 5:
                begin = chance.randrange(len(out))
                out[at:at] = out[begin : begin + chance.randrange(1, 200)]
            case _:
                del out[max(1, chance.randrange(len(out))) :]
        if not out:
            return b"\0"
    return bytes(out)


def write_mutations(folder: Path, count: int, seed: int) -> Iterator[Path]:
    originals, chance = list(seeds().items()), random.Random(seed)
    for i in range(count):
        name, data = originals[i % len(originals)]
        path = folder / f"{i:05d}-{name}"
        path.write_bytes(mutated(data, chance))
        yield path


def write_copies(folder: Path, source: Path) -> Iterator[Path]:
    for i, path in enumerate(sorted(p for p in source.rglob("*") if p.is_file())):
        copy = folder / f"copy{i:03d}-{path.name}.jpg"
        copy.write_bytes(path.read_bytes())
        yield copy


@dataclass(frozen=True)
class Run:
    """A run of the command: how it ended, what it printed, seconds, and most bytes of memory."""

    code: int
    summary: dict[str, Any]
    seconds: float
    parts: list[int]

    @property
    def memory(self) -> int:
        return sum(self.parts)


def index(folder: Path, home: Path) -> Run:
    environ = os.environ | {"HIERSEARCH_HOME": str(home), "HIERSEARCH_STORE": str(home / "index")}
    begun, most = time.perf_counter(), [0]
    with (home / "out").open("w+") as out:
        process = subprocess.Popen(
            ["hiersearch", "index", "--json", str(folder)], stdout=out, env=environ
        )
        while process.poll() is None:
            most = max(most, list(map(pss, family(process.pid))), key=sum)
            time.sleep(0.05)
        out.seek(0)
        text = out.read()
    seconds = time.perf_counter() - begun
    return Run(process.returncode, json.loads(text) if text else {}, seconds, most)


def family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for process in found:
        try:
            for task in Path(f"/proc/{process}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def main(count: int, seed: int, nasty: Path | None) -> None:
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        one, many = home / "one", home / "many"
        for folder in (one, many, home / "a", home / "b"):
            folder.mkdir()
        (one / "a.jpg").write_bytes(seeds()["a.jpg"])
        files = [*write_mutations(many, count, seed), *write_bombs(many)]
        files += write_copies(many, nasty) if nasty else ()
        base, run = index(one, home / "a"), index(many, home / "b")
    summary = run.summary
    noted = sum(len(group["paths"]) for group in summary.get("notes", []))
    kept = sum(summary.get(key, 0) for key in ("added", "copies", "moved", "updated", "unchanged"))
    skipped = 0
    for group in summary.get("skipped", []):
        names = [Path(path).name for path in group["paths"]]
        skipped += len(names)
        print(f"{len(names):6d}  {group['reason']}  ({names[0]})")
    print(f"exit code             {run.code}")
    print(f"files                 {len(files)}")
    print(f"kept, skipped         {kept}, {skipped} ({noted} of the kept with a note)")
    print(f"unaccounted for       {len(files) - kept - skipped}")
    print(f"seconds               {run.seconds:.0f}")
    more = (run.memory - base.memory) / MIB
    print(f"memory, one photo     {base.memory / MIB:.0f} MiB")
    print(f"memory                {run.memory / MIB:.0f} MiB, {more:.0f} more")
    print(f"of its processes      {', '.join(f'{part / MIB:.0f}' for part in run.parts)} MiB")


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 4000,
        int(sys.argv[2]) if len(sys.argv) > 2 else 1,
        Path(sys.argv[3]) if len(sys.argv) > 3 else None,
    )
