"""The pages about the pack say what the pack is, and the coverage names only what exists."""

import pytest

from anomaly.features.reference import definitions
from anomaly.rules import pack
from tests.anomaly.rules.pack.pages import CLOUD, DOCS, PAGES, WAYS, detections

FEATURES = {each.feature.name for each in definitions()}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_current(name):
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), (
        "write it anew: python -m tests.anomaly.rules.pack.pages"
    )


@pytest.mark.parametrize("row", detections(), ids=lambda row: row["detection"][:40])
def test_what_is_said_to_tell_a_detection_exists(row):
    names = row["by"].split()
    known = {"rule": set(pack().by_id), "behaviour": FEATURES, "outside": set()}[row["covered"]]
    assert set(names) <= known
    assert bool(names) is (row["covered"] != "outside")
    assert names or row["note"]


def test_a_detection_is_told_by_rules_that_make_findings():
    rules = pack()
    named = {name for row in detections() if row["covered"] == "rule" for name in row["by"].split()}
    assert [name for name in sorted(named) if getattr(rules[name], "silent", False)] == []


def test_rules_tell_most_of_what_the_field_detects_in_audit_events():
    listed = [row for row in detections() if not row["detection"].startswith(CLOUD)]
    assert len(listed) == 97
    assert {row["covered"] for row in listed} == set(WAYS)
    assert sum(row["covered"] == "rule" for row in listed) >= 75
