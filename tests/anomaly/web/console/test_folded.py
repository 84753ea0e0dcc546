"""Raw events as trees."""

import json

from anomaly.testing import raw_event
from anomaly.web.console.folded import MOST, folded


def leaves(twig):
    return sum(map(leaves, twig.below)) if twig.below else 1


def test_bodies_are_closed_and_the_rest_is_open():
    tree = folded(raw_event("pods", "create", body={"spec": {"a": 1}}, by="alice"))
    by_name = {twig.name: twig for twig in tree.below}
    assert tree.open and by_name["user"].open and not by_name["requestObject"].open
    assert {twig.name: twig.text for twig in by_name["user"].below}["username"] == "alice"


def test_more_than_a_browser_can_hold_is_left_out_and_said():
    tree = folded(json.dumps({"a": list(range(5 * MOST)), "deep": json.loads("[" * 80 + "]" * 80)}).encode())
    (listed,) = (twig for twig in tree.below if twig.name == "a")
    assert len(listed.below) + listed.left_out == 5 * MOST
    assert leaves(tree) <= MOST + 100
    (long,) = folded(json.dumps({"a": "x" * 10_000}).encode()).below
    assert len(long.text) < 5_000 and long.text.endswith("(10,000)")


def test_what_is_no_json_is_no_tree():
    assert folded(b"\xff{") is None
    assert folded(b"[" * 100_000) is None
