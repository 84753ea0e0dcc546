import gzip
from datetime import UTC, datetime

import pytest

from anomaly.errors import SourceUnavailable
from anomaly.testing import raw_event
from anomaly.trials.labels import labels_in, load_labels, present_ids

ROW = b'{"scenario": "s", "start": "2026-11-23T10:46:10Z", "end": "2026-11-23T10:47:00Z"}\n'


def loaded(tmp_path, *rows):
    path = tmp_path / "labels.jsonl"
    path.write_bytes(b"\n".join(rows))
    return load_labels(path)


def test_fields_nobody_knows_and_empty_lines_are_passed_over(tmp_path):
    row = b'{"scenario": "s", "start": "2026-11-23T10:46:10Z", "end": null, "users": null, "note": {"a": [1]}, "technique": null}'
    (episode,) = loaded(tmp_path, b"", row, b"  ")

    assert (episode.begins, episode.ends) == (episode.begins, episode.begins)
    assert (episode.who, episode.ids, episode.techniques) == (frozenset(), frozenset(), ())


def test_times_without_a_zone_are_utc_and_the_order_is_that_of_time(tmp_path):
    late = b'{"scenario": "late", "start": "2026-11-23T12:00:00+01:00", "end": "2026-11-23T11:05:00Z"}'
    early = b'{"scenario": "early", "start": "2026-11-23T10:46:10", "end": "2026-11-23T10:47:00"}'
    found = loaded(tmp_path, late, early)

    assert [one.scenario for one in found] == ["early", "late"]
    assert found[0].begins == datetime(2026, 11, 23, 10, 46, 10, tzinfo=UTC)
    assert found[1].begins == datetime(2026, 11, 23, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ('"T1552.007"', ("T1552.007",)),
        ('"T1078, T1550.001"', ("T1078", "T1550.001")),
        ('["T1611", "T1610"]', ("T1611", "T1610")),
        ('"none"', ()),
    ],
)
def test_techniques_may_be_one_several_or_none(tmp_path, said, expected):
    row = ROW.decode().replace("}", f', "technique": {said}}}').encode()

    assert loaded(tmp_path, row)[0].techniques == expected


def test_a_line_that_is_no_label_is_named(tmp_path):
    with pytest.raises(SourceUnavailable, match=r"labels\.jsonl:2: this is no label"):
        loaded(tmp_path, ROW.strip(), b'{"scenario": 3}')


def test_labels_may_be_packed_and_are_asked_for_when_missing(tmp_path):
    with pytest.raises(SourceUnavailable, match=r"no labels\.jsonl"):
        labels_in(tmp_path)
    (tmp_path / "labels.jsonl.gz").write_bytes(gzip.compress(ROW * 2))

    assert len(load_labels(labels_in(tmp_path))) == 2


def test_the_ids_that_a_log_holds_are_found_packed_or_not(tmp_path):
    plain, packed = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    plain.write_bytes(raw_event(audit_id="one") + b"\n" + raw_event(audit_id='q"uoted') + b"\n")
    packed.write_bytes(gzip.compress(raw_event(audit_id="two") + b"\n"))

    assert present_ids([plain, packed], {"one", "two", "three", 'q"uoted'}) == {"one", "two", 'q"uoted'}
