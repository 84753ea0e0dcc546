"""What fuzzing found is tried for ever, with the seeds and some mutations of them; `make fuzz` looks for more, guided by coverage."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.decoders import DECODERS
from tests.fuzz.seeds import seeds

FOUND = sorted(path for path in (Path(__file__).parent / "found").glob("*/*") if path.is_file())


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_found_once_is_found_no_more(path):
    DECODERS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("name", DECODERS)
def test_seeds_are_taken(name):
    assert seeds(name)
    for seed in seeds(name):
        DECODERS[name](seed)


@st.composite
def mutated(draw, name):
    """A seed with some of its bytes cut out, doubled, replaced or swapped with another seed's."""
    data = bytearray(draw(st.sampled_from(seeds(name))))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 40)))
        data[start:end] = draw(
            st.one_of(
                st.binary(max_size=12),
                st.sampled_from(
                    [b"", b"null", b"[]", b"{}", b'"', b"\\u0000", b"\xff", b"-1", b"1e999", b"\n", b"&a *a"]
                ),
                st.just(bytes(data[start:end]) * 2),
            )
        )
    return bytes(data)


@pytest.mark.parametrize("name", DECODERS)
def test_mutations_are_taken_or_refused(name):
    @settings(suppress_health_check=list(HealthCheck), deadline=None)
    @given(mutated(name))
    def held(data):
        DECODERS[name](data)

    held()
