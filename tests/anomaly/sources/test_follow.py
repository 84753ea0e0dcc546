import gzip
import os

import pytest

from anomaly.errors import SourceUnavailable
from anomaly.sources.follow import follow
from anomaly.testing import raw_event

LINES = [raw_event("pods", name=f"web-{n}", at=n) + b"\n" for n in range(40)]


def text(begin, end):
    return b"".join(LINES[begin:end])


class Script:
    """A clock for tests: every wait does the next thing to the files, and the last one ends the following."""

    def __init__(self, *steps):
        self.steps = list(steps)

    def __call__(self):
        if not self.steps:
            return False
        self.steps.pop(0)()
        return True


def followed(path, *steps, last=None):
    seen = list(follow(path, Script(*steps), last, block_bytes=2000))
    return b"".join(one.block.data for one in seen), seen[-1].checkpoint if seen else last


@pytest.fixture
def live(tmp_path):
    path = tmp_path / "audit.log"
    path.write_bytes(text(0, 5))
    return path


def append(path, data):
    with open(path, "ab") as file:
        file.write(data)


def rotate(path, name, new=b""):
    path.rename(path.with_name(name))
    path.write_bytes(new)


FIRST = "audit-2026-11-23T09-00-00.000.log"
SECOND = "audit-2026-11-23T10-00-00.000.log"
THIRD = "audit-2026-11-23T11-00-00.000.log"


def test_lines_come_as_they_are_written_and_half_lines_wait(live):
    data, _ = followed(
        live,
        lambda: append(live, LINES[5][:50]),
        lambda: append(live, LINES[5][50:] + LINES[6]),
    )
    assert data == text(0, 7)


def test_a_half_line_is_left_for_the_next_time(live):
    data, checkpoint = followed(live, lambda: append(live, LINES[5][:50]))
    append(live, LINES[5][50:])
    rest, _ = followed(live, last=checkpoint)
    assert (data, rest) == (text(0, 5), LINES[5])


def test_a_rotated_file_is_read_to_its_end_and_then_the_new_one(live):
    def rotation():
        append(live, text(5, 8) + LINES[8][:-1])
        rotate(live, FIRST, text(9, 11))

    data, checkpoint = followed(live, rotation, lambda: append(live, text(11, 12)))
    assert data == text(0, 9)[:-1] + text(9, 12)
    assert followed(live, last=checkpoint)[0] == b""


def test_two_rotations_between_two_looks_lose_nothing(live):
    def rotations():
        rotate(live, FIRST, text(5, 8))
        rotate(live, SECOND, text(8, 9))

    assert followed(live, rotations)[0] == text(0, 9)


def test_older_rotated_files_are_not_read_again(live):
    (live.with_name(FIRST)).write_bytes(text(20, 30))
    assert followed(live, lambda: rotate(live, SECOND, text(5, 6)))[0] == text(0, 6)


def test_a_moment_without_a_live_file_is_waited_out(live):
    gone = live.with_name(FIRST)
    assert followed(live, lambda: live.rename(gone), lambda: live.write_bytes(text(5, 7)))[0] == text(0, 7)


def test_a_file_that_is_not_there_yet_is_waited_for(tmp_path):
    path = tmp_path / "audit.log"
    assert followed(path, lambda: None, lambda: path.write_bytes(text(0, 2)))[0] == text(0, 2)
    assert followed(tmp_path / "never.log", lambda: None) == (b"", None)


def test_a_file_cut_to_nothing_is_read_from_its_new_beginning(live):
    assert followed(live, lambda: live.write_bytes(b""), lambda: append(live, LINES[5]))[0] == text(0, 6)


def test_a_file_cut_and_written_beyond_the_old_end_is_noticed(live):
    def copied_and_cut():
        inode = live.stat().st_ino
        live.write_bytes(text(5, 20))
        assert live.stat().st_ino == inode

    assert followed(live, copied_and_cut)[0] == text(0, 20)


def test_a_stop_over_several_rotations_is_caught_up_in_order(live):
    _, checkpoint = followed(live)
    append(live, text(5, 7))
    rotate(live, FIRST, text(7, 9))
    rotate(live, SECOND, text(9, 11))
    rotate(live, THIRD, text(11, 13))
    live.with_name("audit-2026-11-22T09-00-00.000.log").write_bytes(text(30, 40))
    assert followed(live, last=checkpoint)[0] == text(5, 13)


def test_a_file_compressed_while_nobody_looked_is_recognised(live):
    _, checkpoint = followed(live)
    packed = live.with_name(FIRST + ".gz")
    packed.write_bytes(gzip.compress(text(0, 8)))
    live.with_name(FIRST).write_bytes(text(0, 8))
    os.remove(live)
    live.write_bytes(text(8, 9))
    assert followed(live, last=checkpoint)[0] == text(5, 9)
    live.with_name(FIRST).unlink()
    assert followed(live, last=checkpoint)[0] == text(5, 9)


def test_a_checkpoint_of_a_deleted_file_leads_to_all_that_is_left(live):
    _, checkpoint = followed(live)
    live.with_name(SECOND).write_bytes(text(10, 12))
    live.unlink()
    live.write_bytes(text(12, 13))
    assert followed(live, last=checkpoint)[0] == text(10, 13)


def test_stopping_and_going_on_at_any_block_gives_every_line_once(live):
    live.write_bytes(text(0, 40))
    for stop in range(1, 8):
        seen, checkpoint = [], None
        while True:
            part = []
            for one in follow(live, lambda: False, checkpoint, block_bytes=1500):
                part.append(one)
                if len(part) == stop:
                    break
            if not part:
                break
            seen += part
            checkpoint = part[-1].checkpoint
        assert b"".join(one.block.data for one in seen) == text(0, 40)


def test_a_directory_in_its_place_is_said_so(tmp_path):
    with pytest.raises(SourceUnavailable, match=r"directory|opened"):
        list(follow(tmp_path, lambda: False))
