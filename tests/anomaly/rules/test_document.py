"""YAML with positions, and what happens to files that mean harm."""

import pytest

from anomaly.rules import RuleFileInvalid
from anomaly.rules.document import MAX_BYTES, read_file, read_text

BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


def test_every_key_and_item_knows_its_place():
    (document,) = read_text("title: x\ndetection:\n  selection:\n    verb: [get, list]\n")
    assert document.place(("detection", "selection", "verb")) == (4, 5)
    assert document.place(("detection", "selection", "verb", 1)) == (4, 17)
    assert document.place(("detection", "nothing", "there")) == (2, 1)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("on", "on", id="on is text"),
        pytest.param("no", "no", id="no is text"),
        pytest.param("012", 12, id="no octal by a leading zero"),
        pytest.param("0o17", 15, id="octal"),
        pytest.param("2026-01-02", "2026-01-02", id="dates are text"),
        pytest.param("1:30", "1:30", id="no sixties"),
        pytest.param("'403'", "403", id="quoted is text"),
        pytest.param("403", 403, id="number"),
        pytest.param("1.5e3", 1500.0, id="float"),
        pytest.param("~", None, id="null"),
        pytest.param("True", True, id="boolean"),
        pytest.param("!!str 5", "5", id="said to be text"),
    ],
)
def test_plain_words_are_read_as_yaml_1_2_reads_them(text, value):
    assert read_text(f"a: {text}")[0].data == {"a": value}


def test_several_documents_are_told_apart_and_empty_ones_left_out():
    documents = read_text("a: 1\n---\n---\nb: 2\n")
    assert [document.data for document in documents] == [{"a": 1}, {"b": 2}]
    assert documents[1].place(("b",)) == (4, 1)


def test_an_alias_stands_for_its_anchor():
    assert read_text("a: &x [1]\nb: *x\n")[0].data == {"a": [1], "b": [1]}


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        pytest.param("a: 1\na: 2", "2:1", "duplicate key 'a'", id="duplicate key"),
        pytest.param("a: [1", "", "not YAML", id="unclosed"),
        pytest.param("[" * 500_000, "1:", "levels deep", id="deep brackets"),
        pytest.param("- " * 200_000, "1:", "levels deep", id="deep dashes"),
        pytest.param("{" * 100_000, "1:", "a key must be text", id="deep braces"),
        pytest.param(BOMB, "5:", "aliases unrolled", id="billion laughs"),
        pytest.param("a: &b [*b]", "1:", "inside what it stands for", id="self-reference"),
        pytest.param("a: *nobody", "1:", "has no anchor", id="loose alias"),
        pytest.param("a: {<<: {b: 1}}", "1:", "merge keys", id="merge key"),
        pytest.param("a: !!python/object/apply:os.system [ls]", "1:", "not allowed", id="code"),
        pytest.param("? [a]\n: b", "1:", "a key must be text", id="key that is a list"),
        pytest.param("a: \x00", "", "control characters", id="control character"),
        pytest.param("a:\n" + "  - b\n" * 100_000, "", "more than 20,000 values", id="very many values"),
        pytest.param("x: " + "y" * (MAX_BYTES + 1), "", "bytes long", id="too large"),
    ],
)
def test_what_means_harm_ends_in_a_clear_error_at_once(text, place, words):
    with pytest.raises(RuleFileInvalid) as caught:
        read_text(text, "rule.yml")
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"rule.yml:{place}" if place else "rule.yml")


def test_ten_megabytes_are_refused_before_they_are_read(tmp_path):
    file = tmp_path / "large.yml"
    file.write_bytes(b"a: b\n" * (2 << 20))
    with pytest.raises(RuleFileInvalid, match="10,485,760 bytes long"):
        read_file(file)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    file = tmp_path / "binary.yml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RuleFileInvalid, match="not UTF-8"):
        read_file(file)


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(RuleFileInvalid, match="cannot be read"):
        read_file(tmp_path / "nothing.yml")
