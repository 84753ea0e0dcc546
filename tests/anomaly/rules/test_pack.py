"""The rules that ship: every one loads, proves itself, is explained, and is quiet where it should be."""

import re
from pathlib import Path

import pytest

import anomaly.rules
from anomaly.errors import SourceUnavailable
from anomaly.events.shape import shape_of
from anomaly.rules import RuleFileInvalid, load, pack
from anomaly.rules.check import check_path
from anomaly.rules.document import read_text
from anomaly.rules.pack import _untested, parse_all
from anomaly.rules.trial import trials
from anomaly.testing import event

FOLDER = Path(anomaly.rules.__file__).parent / "pack"
CARDS = [one.card for one in pack().by_id.values()]


def test_every_example_of_the_pack_goes_as_it_should():
    assert [
        (trial.rule, trial.example.name, trial.fault) for trial in trials(pack()) if not trial.passed
    ] == []


def test_the_check_has_nothing_to_say():
    assert check_path(FOLDER)[1] == []


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_a_rule_says_what_a_reviewer_needs(card):
    assert re.search(r"Why it matters: .+Often harmless: .+", card.description, re.DOTALL)
    assert card.look_at_first
    assert card.falsepositives
    assert card.attack
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", card.uuid)
    assert {example.firing for example in card.examples} == {True, False}


def test_ids_and_titles_are_used_once():
    assert len({card.uuid for card in CARDS}) == len({card.title for card in CARDS}) == len(CARDS)


def test_a_rule_without_both_examples_does_not_load_in_the_pack():
    rule = "title: t\ndetection: {a: {verb: get}, condition: a}\n"
    assert len(list(_untested(parse_all(read_text(rule))[0]))) == 2
    firing = f"{rule}tests: {{firing: [{{verb: get}}]}}\n"
    assert [problem.message for problem in _untested(parse_all(read_text(firing))[0])] == [
        "rule has no quiet example"
    ]


def test_sentences_are_filled_and_safe_to_print():
    rule = pack()["exec-into-pod"]
    one = event("pods/exec", "create", name="web-0", by="mallory\x1b[2J\u202e", agent="a" * 500)
    said = rule.why(one, shape_of(one))
    assert said.startswith(r"mallory\x1b[2J\u202e opened pods/exec shop/web-0 from 203.0.113.7")
    assert said.isprintable()
    assert len(said) < 400


def test_every_problem_of_a_folder_is_said_at_once(tmp_path):
    (tmp_path / "a.yml").write_text("title: a\ndetection: {s: {vreb: get}, condition: s}\n")
    (tmp_path / "b.yaml").write_text("title: b\ndetection: {s: {verb: get}}\n")
    with pytest.raises(RuleFileInvalid) as caught:
        load(tmp_path)
    assert len(caught.value.problems) == 2


def test_a_folder_without_rules_is_said_to_be_empty(tmp_path):
    with pytest.raises(SourceUnavailable, match="no rule files"):
        load(tmp_path)
    with pytest.raises(SourceUnavailable, match="no file or folder"):
        load(tmp_path / "nothing")


def test_a_file_of_several_rules_names_them_apart(tmp_path):
    rule = "title: t{n}\n{name}detection: {{s: {{verb: get}}, condition: s}}\n"
    text = "---\n".join([rule.format(n=1, name="name: first\n"), rule.format(n=2, name="")])
    (tmp_path / "two.yml").write_text(text)
    assert [one.id for one in load(tmp_path).rules] == ["first", "two-2"]
