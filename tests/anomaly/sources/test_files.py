import gzip
import io
import json
import os
import sys
import tracemalloc
from pathlib import Path

import pytest
import zstandard

import anomaly
from anomaly.errors import SourceUnavailable
from anomaly.events.decode import decode_lines
from anomaly.sources.block import Block, Oversized, Position
from anomaly.sources.files import logs_of, open_source
from anomaly.sources.unwrap import normalise
from anomaly.testing import raw_event

REAL = Path(anomaly.__file__).parent / "demo" / "audit.jsonl.zst"
EVENTS = [raw_event("pods", "get", name=f"web-{n}", at=n) for n in range(60)]
LINES = b"".join(event + b"\n" for event in EVENTS)
EVENT_LIST = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [json.loads(e) for e in EVENTS]}
PACKERS = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "gzip of two members": lambda data: gzip.compress(data[:5000]) + gzip.compress(data[5000:]),
    "gzip padded with zeros": lambda data: gzip.compress(data) + bytes(512),
    "zstd": zstandard.compress,
    "zstd of two frames": lambda data: zstandard.compress(data[:5000]) + zstandard.compress(data[5000:]),
    "zstd behind a skippable frame": lambda data: (
        b"\x50\x2a\x4d\x18\x04\x00\x00\x00note" + zstandard.compress(data)
    ),
}
SHAPES = {
    "lines": LINES,
    "lines without the last newline": LINES[:-1],
    "lines with carriage returns": LINES.replace(b"\n", b"\r\n"),
    "lines behind a byte order mark": b"\xef\xbb\xbf" + LINES,
    "a list on one line": json.dumps(EVENT_LIST).encode(),
    "a printed list": json.dumps(EVENT_LIST, indent=2).encode(),
    "a list with its kind behind the items": json.dumps(dict(reversed(EVENT_LIST.items()))).encode(),
    "an array on one line": b"[" + b",".join(EVENTS) + b"]",
    "an array of a line each": b"[\n" + b",\n".join(EVENTS) + b"\n]\n",
    "printed objects": b"\n".join(json.dumps(json.loads(e), indent=4).encode() for e in EVENTS),
    "objects with nothing between": b"".join(EVENTS),
    "lists one after the other": json.dumps(EVENT_LIST, indent=1).encode().replace(b"}", b"}", 1),
}


def blocks_of(path, start=0, block_bytes=4 << 20):
    with open_source(path) as source:
        return list(source.blocks(start, block_bytes))


def fingerprint_of(path):
    with open_source(path) as source:
        return source.fingerprint


def documents(blocks):
    return [
        json.loads(line.removeprefix(b"\xef\xbb\xbf"))
        for b in blocks
        for line in b.data.splitlines()
        if line.strip()
    ]


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_in_every_packing_gives_the_same_events(tmp_path, shape, packer):
    path = tmp_path / "audit.log"
    path.write_bytes(PACKERS[packer](SHAPES[shape]))
    for block_bytes in (700, 4 << 20):
        assert documents(blocks_of(path, block_bytes=block_bytes)) == EVENT_LIST["items"]


@pytest.mark.parametrize("shape", SHAPES)
def test_reading_again_from_any_end_gives_exactly_the_rest(tmp_path, shape):
    path = tmp_path / "audit.log.gz"
    path.write_bytes(gzip.compress(SHAPES[shape]))
    blocks = blocks_of(path, block_bytes=3000)
    assert len(blocks) > 5
    for index, block in enumerate(blocks):
        rest = documents(blocks_of(path, block.position, block_bytes=1 << 16))
        assert rest == documents(blocks[index + 1 :])
        assert documents(blocks_of(path, block.end)) == rest


def test_nothing_is_left_behind_the_last_end(tmp_path):
    path = tmp_path / "audit.log"
    path.write_bytes(LINES)
    assert blocks_of(path, blocks_of(path)[-1].position) == []


def test_a_last_line_without_a_newline_comes_alone_and_marked(tmp_path):
    path = tmp_path / "audit.log"
    path.write_bytes(LINES + b'{"kind":"Ev')
    *whole, last = blocks_of(path)
    assert not any(block.partial for block in whole)
    assert last == Block(b'{"kind":"Ev', len(LINES) + 11, last.mark, partial=True)


def test_a_list_that_ends_inside_an_item_gives_the_piece_marked(tmp_path):
    path = tmp_path / "audit.json"
    path.write_bytes(b'{"kind":"EventList","items":[' + EVENTS[0] + b",\n" + EVENTS[1][:50])
    whole, last = blocks_of(path)
    assert whole.data == EVENTS[0] + b"\n"
    assert (last.data, last.partial) == (EVENTS[1][:50] + b"\n", True)


def test_what_is_no_object_in_a_list_is_handed_on_too(tmp_path):
    path = tmp_path / "audit.json"
    path.write_bytes(
        b'{"items":[17, "text", ' + EVENTS[0] + b" ,null, [1,[2]]," + EVENTS[1] + b"  ,  false ]}"
    )
    lines = b"".join(block.data for block in blocks_of(path)).splitlines()
    assert lines == [b'17, "text"', EVENTS[0], b"null", b"[1,[2]]", EVENTS[1], b"false"]


def test_a_damaged_first_line_spoils_only_itself(tmp_path):
    path = tmp_path / "audit.log"
    path.write_bytes(EVENTS[0][:77] + b"\n" + LINES)
    assert b"".join(block.data for block in blocks_of(path)) == EVENTS[0][:77] + b"\n" + LINES


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_a_cut_archive_gives_what_was_whole_and_then_says_so(tmp_path, pack):
    noise = b"".join(raw_event("pods", name=os.urandom(40).hex(), at=n) + b"\n" for n in range(3000))
    path = tmp_path / "audit.log.packed"
    packed = pack(noise)
    path.write_bytes(packed[: len(packed) * 3 // 4])
    taken = []
    with open_source(path) as source, pytest.raises(SourceUnavailable, match="cut short"):
        taken.extend(source.blocks(0, 1 << 16))
    data = b"".join(block.data for block in taken)
    assert len(noise) // 2 < len(data) < len(noise)
    assert noise.startswith(data)
    assert data.endswith(b"\n")
    path.write_bytes(packed)
    assert data + b"".join(block.data for block in blocks_of(path, taken[-1].position)) == noise


def test_a_damaged_archive_says_so(tmp_path):
    path = tmp_path / "audit.log.gz"
    packed = bytearray(gzip.compress(os.urandom(300_000)))
    packed[150_000] ^= 255
    path.write_bytes(bytes(packed))
    with pytest.raises(SourceUnavailable, match="damaged"):
        blocks_of(path)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_an_archive_that_unpacks_to_a_giant_line_costs_no_memory(tmp_path, pack):
    path = tmp_path / "bomb.log"
    path.write_bytes(pack(bytes(300 << 20)) + pack(b"\n" + LINES))
    tracemalloc.start()
    with open_source(path) as source:
        first, *rest = source.blocks()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert first == Oversized(bytes(64 << 10), 300 << 20, (300 << 20) + 1)
    assert documents(rest) == EVENT_LIST["items"]
    assert peak < 120 << 20


def test_a_list_far_larger_than_a_block_is_taken_apart_in_bounded_memory(tmp_path):
    path = tmp_path / "audit.json"
    with open(path, "wb") as file:
        file.write(b'{"kind":"EventList","items":[' + EVENTS[0])
        file.writelines(b"".join(b"," + event for event in EVENTS) * 20 for _ in range(50))
        file.write(b"]}")
    tracemalloc.start()
    with open_source(path) as source:
        count = sum(block.data.count(b"\n") for block in source.blocks(block_bytes=1 << 20))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 1 + 50 * 20 * len(EVENTS)
    assert path.stat().st_size > 30 << 20
    assert peak < 24 << 20


def test_an_item_too_large_is_told_of_and_the_others_come(tmp_path):
    path = tmp_path / "audit.json"
    giant = b'{"kind":"' + b"x" * (33 << 20) + b'"}'
    head = b'{"kind":"EventList","items":[' + EVENTS[0] + b","
    path.write_bytes(head + giant + b"," + EVENTS[1] + b"]}")
    first, oversized, last = blocks_of(path)
    assert (first.data, last.data) == (EVENTS[0] + b"\n", EVENTS[1] + b"\n")
    assert oversized == Oversized(giant[: 64 << 10], len(giant), len(head) + len(giant))
    assert [block.data for block in blocks_of(path, oversized.position)] == [last.data]


def test_the_log_of_a_real_api_server_is_read_whole_and_passes_untouched():
    with open_source(REAL) as source:
        blocks = list(source.blocks())
    decoded = [decode_lines(block.data) for block in blocks]
    assert sum(len(one.rejects) for one in decoded) == 0
    assert (
        sum(len(one.events) for one in decoded) == sum(block.data.count(b"\n") for block in blocks) > 10_000
    )
    assert all(normalise(block.data) is block.data for block in blocks)


def test_another_file_under_the_same_name_is_read_from_its_beginning(tmp_path):
    path = tmp_path / "audit.log"
    path.write_bytes(LINES)
    middle = blocks_of(path, block_bytes=5000)[2].position
    path.write_bytes(LINES.replace(b"web-", b"api-"))
    assert len(documents(blocks_of(path, middle))) == len(EVENTS)
    path.write_bytes(LINES[: middle.offset - 1])
    assert blocks_of(path, middle)[0].data[:200] == LINES[:200]


def test_a_renamed_grown_or_compressed_log_is_recognised(tmp_path):
    path = tmp_path / "audit.log"
    path.write_bytes(LINES[:4000])
    before = fingerprint_of(path)
    path.write_bytes(LINES)
    grown = fingerprint_of(path)
    assert grown.same_file(before)
    assert grown.same_content(before)
    (tmp_path / "audit-2026.log.gz").write_bytes(gzip.compress(LINES))
    packed = fingerprint_of(tmp_path / "audit-2026.log.gz")
    assert packed.same_content(before)
    assert not packed.same_file(before)


def test_logs_that_begin_differently_or_hold_no_line_yet_are_not_the_same(tmp_path):
    for name, data in (("a", LINES), ("b", LINES[500:]), ("c", b'{"ki'), ("d", b'{"ki'), ("e", b"")):
        (tmp_path / name).write_bytes(data)
    prints = [fingerprint_of(tmp_path / name) for name in "abcde"]
    assert not any(one.same_content(two) for one in prints for two in prints if one is not two)


def test_progress_is_told_in_bytes_on_disk(tmp_path):
    path = tmp_path / "audit.log.zst"
    path.write_bytes(zstandard.compress(LINES))
    with open_source(path) as source:
        assert source.size == path.stat().st_size
        for _ in source.blocks():
            pass
        assert source.read_bytes == source.size


def test_standard_input_is_read_compressed_or_not(monkeypatch):
    for data in (LINES, gzip.compress(LINES), b""):
        reader, writer = os.pipe()
        os.write(writer, data)
        os.close(writer)
        with io.TextIOWrapper(os.fdopen(reader, "rb")) as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            source = open_source("-")
            assert documents(source.blocks()) == (EVENT_LIST["items"] if data else [])
            assert source.size == 0
            with pytest.raises(SourceUnavailable):
                list(source.blocks(Position(5, "5:0")))


@pytest.mark.parametrize("data", [b"", b"\n\n \n", b"{}"], ids=["empty", "blank", "no newline"])
def test_files_with_next_to_nothing_in_them_are_read(tmp_path, data):
    path = tmp_path / "audit.log"
    path.write_bytes(data)
    assert b"".join(block.data for block in blocks_of(path)) == data


def test_text_of_another_encoding_is_refused_in_words(tmp_path):
    path = tmp_path / "audit.log"
    path.write_text("{}\n", encoding="utf-16")
    with pytest.raises(SourceUnavailable, match="UTF-16"):
        open_source(path)


def test_what_cannot_be_opened_is_said_in_a_sentence(tmp_path):
    with pytest.raises(SourceUnavailable, match="does not exist"):
        open_source(tmp_path / "none.log")
    with pytest.raises(SourceUnavailable, match="is a directory"):
        open_source(tmp_path)


def test_a_file_and_standard_input_stand_for_themselves(tmp_path):
    assert logs_of("-") == ["-"]
    assert logs_of(str(tmp_path / "x.bin")) == [str(tmp_path / "x.bin")]
