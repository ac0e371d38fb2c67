"""Whatever a disk does to a cache, vectors come out right, and the cache is made again."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hiersearch.encoder.kept import KeptRows, VectorCache

KEYS = [f"text {number}" for number in range(60)]
ROWS = np.random.default_rng(0).normal(size=(len(KEYS), 16)).astype(np.float32)
ROWS /= np.linalg.norm(ROWS, axis=1, keepdims=True)
OF_KEY = dict(zip(KEYS, ROWS, strict=True))

CHANGES = st.one_of(
    st.tuples(st.just("cut"), st.floats(0, 1), st.just(b"")),
    st.tuples(st.just("over"), st.floats(0, 1), st.binary(min_size=1, max_size=40)),
    st.tuples(st.just("head"), st.floats(0, 0.02), st.binary(min_size=1, max_size=40)),
    st.tuples(
        st.just("before"),
        st.just(0.0),
        st.sampled_from([b"PK\x03\x04", b"\x80\x04\x95", b"\x93NUMPY", b"SQLite format 3\0", b"{"]),
    ),
    st.tuples(st.just("other"), st.just(0.0), st.binary(max_size=300)),
)
BROKEN = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def changed(content: bytes, change: tuple[str, float, bytes]) -> bytes:
    kind, share, data = change
    at = int(share * len(content))
    return {
        "cut": content[:at],
        "over": content[:at] + data + content[at + len(data) :],
        "head": content[:at] + data + content[at + len(data) :],
        "before": data + content,
        "other": data,
    }[kind]


@BROKEN
@given(change=CHANGES)
def test_of_texts(tmp_path, change):
    path = tmp_path / "vectors.sqlite"
    for file in tmp_path.iterdir():
        file.unlink()

    def compute(keys):
        return np.stack([OF_KEY[key] for key in keys])

    VectorCache(path, "m").vectors(KEYS, compute)
    path.write_bytes(changed(path.read_bytes(), change))
    for _ in range(2):  # a part of it may be damaged, and found to be later
        np.testing.assert_array_equal(VectorCache(path, "m").vectors(KEYS, compute), ROWS)
    asked = []
    found = VectorCache(path, "m").vectors(KEYS, lambda keys: asked.append(keys) or compute(keys))
    np.testing.assert_array_equal(found, ROWS)
    assert not asked


@BROKEN
@given(change=CHANGES)
def test_of_a_vocabulary(tmp_path, change):
    path = tmp_path / "rows.npy"
    KeptRows(path).rows(ROWS.shape, lambda: ROWS)
    path.write_bytes(changed(path.read_bytes(), change))
    found = KeptRows(path).rows(ROWS.shape, lambda: ROWS)
    assert found.shape == ROWS.shape
    assert np.abs(np.linalg.norm(found, axis=1) - 1).max() < 1e-3
