"""The language: what is written can be read again, whatever is typed is refused with its place or understood."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.query import EVERYTHING, QueryInvalid, read, write
from anomaly.query.read import LONGEST
from anomaly.query.tree import Amount, And, Edge, Not, Or, Pattern, Period, Span, Text, When, Word
from tests.anomaly.query.trees import trees

HOUR = 3_600_000_000
SECOND_OF_MARCH = 1_772_409_600_000_000


def text(field, *said):
    return Text(field, tuple(map(Pattern.of, said)))


@given(trees())
def test_what_is_written_reads_as_the_same_question(tree):
    assert read(write(tree)) == tree


@given(st.text(max_size=60) | st.text('ab:*"\\()-!,.<>=0149 ornadtime', max_size=40))
def test_anything_typed_is_understood_or_refused_with_its_place(typed):
    try:
        tree = read(typed)
    except QueryInvalid as refusal:
        assert 0 <= refusal.at <= len(typed)
        line, marks = refusal.pointer.split("\n")
        assert marks.strip(" ").strip("^") == "" and len(marks) <= len(line) + 1
        return
    assert read(write(tree)) == tree


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("", EVERYTHING),
        ("   ", EVERYTHING),
        ("verb:get", text("verb", "get")),
        ("VERB:get", text("verb", "get")),
        ("ns:shop", text("namespace", "shop")),
        ("userAgent:curl*", text("agent", "curl*")),
        ("verb:get,list", text("verb", "get", "list")),
        ("verb:(get or list)", text("verb", "get", "list")),
        ("verb:( get , list )", text("verb", "get", "list")),
        ("user:system:serviceaccount:ci:*", text("user", "system:serviceaccount:ci:*")),
        ('agent:"a b"', text("agent", "a b")),
        ('agent:"a*b"', Text("agent", (Pattern(("a*b",)),))),
        ('agent:"a (b"*', Text("agent", (Pattern(("a (b", "")),))),
        ('agent:a\\*b\\ c', Text("agent", (Pattern(("a*b c",)),))),
        ('agent:"say \\"hi\\" \\\\"', Text("agent", (Pattern(('say "hi" \\',)),))),
        ("name:**web**", Text("name", (Pattern(("", "web", "")),))),
        ('namespace:""', Text("namespace", (Pattern(("",)),))),
        ("code:404", Amount("code", (Span(404, 404),))),
        ("code:>400", Amount("code", (Span(401, None),))),
        ("code:>=400", Amount("code", (Span(400, None),))),
        ("code:<400", Amount("code", (Span(None, 399),))),
        ("code:400..499", Amount("code", (Span(400, 499),))),
        ("code:4xx,500..", Amount("code", (Span(400, 499), Span(500, None)))),
        ("latency:>1.5s", Amount("latency", (Span(1_500_001, None),))),
        ("latency:20", Amount("latency", (Span(20_000, 20_000),))),
        ("size:<=10kB", Amount("size", (Span(None, 10_000),))),
        ("outcome:REFUSED", text("outcome", "refused")),
        ("time:2026-03-02", When((Period(Edge(SECOND_OF_MARCH), Edge(SECOND_OF_MARCH + 24 * HOUR - 1)),))),
        ("time:>2026-03-01", When((Period(Edge(SECOND_OF_MARCH), None),))),
        ("time:<2026-03-02", When((Period(None, Edge(SECOND_OF_MARCH - 1)),))),
        ("time:2026-03-02T01:00..2026-03-02T01:00", When((Period(Edge(SECOND_OF_MARCH + HOUR), Edge(SECOND_OF_MARCH + HOUR + 59_999_999)),))),
        ("time:2026-03-02T02:00:00+02:00", When((Period(Edge(SECOND_OF_MARCH), Edge(SECOND_OF_MARCH + 999_999)),))),
        ("time:-2h", When((Period(Edge(-2 * HOUR, True), None),))),
        ("time:-2h..-1h", When((Period(Edge(-2 * HOUR, True), Edge(-HOUR, True)),))),
        ("time:>=-2h", When((Period(Edge(-2 * HOUR, True), None),))),
        ("secrets", Word(("secrets",))),
        ("*secrets*", Word(("secrets",))),
        ('"and"', Word(("and",))),
        ("order notes android", And((Word(("order",)), Word(("notes",)), Word(("android",))))),
        ("a b", And((Word(("a",)), Word(("b",))))),
        ("a AND b", And((Word(("a",)), Word(("b",))))),
        ("a or b c", Or((Word(("a",)), And((Word(("b",)), Word(("c",))))))),
        ("(a or b) c", And((Or((Word(("a",)), Word(("b",)))), Word(("c",))))),
        ("(a b) c", And((Word(("a",)), Word(("b",)), Word(("c",))))),
        ("not a b", And((Not(Word(("a",))), Word(("b",))))),
        ("-verb:get", Not(text("verb", "get"))),
        ("!(a or b)", Not(Or((Word(("a",)), Word(("b",)))))),
        ("not not a", Word(("a",))),
        ("raw:hostPath", Text("raw", (Pattern(("", "hostPath", "")),))),
    ],
)  # fmt: skip
def test_a_question_means_what_the_reference_says(typed, meant):
    assert read(typed) == meant


@pytest.mark.parametrize(
    ("typed", "at", "said"),
    [
        ("usr:bob", 0, "Did you mean user:?"),
        ("verb:get naem:x", 9, "Did you mean name:?"),
        ("system:admin", 0, "quote it"),
        ("outcome:refusd", 8, "Did you mean refused?"),
        ("stage:Response*", 6, "takes no wildcard"),
        ("code:4a", 5, "'4a' is no number"),
        ("code:", 4, "A value is missing"),
        ("code:499..400", 5, "ends before it begins"),
        ("code:>", 5, "A number is missing"),
        ("code:..", 5, "A number is missing"),
        ("latency:>2kg", 8, "units: ms, us, s, m"),
        ("time:yesterday", 5, "is no time"),
        ("time:2026-13-01", 5, "is no time"),
        ("time:2026-03-02..2026-03-01", 5, "ends before it begins"),
        ("time:-999999999w", 5, "is no time"),
        ("user:>5", 5, "has no order"),
        ("address:10.0.0.0/99", 8, "is no network"),
        ("finding:760692be", 8, "is no id of a finding"),
        ('agent:"curl', 6, "never closed"),
        ("agent:curl\\", 10, "Nothing follows"),
        ("(a or b", 0, "never closed"),
        ("a) b", 1, "never opened"),
        ("verb:(get list)", 10, "parted by"),
        ("verb:(get", 5, "never closed"),
        ("a and", 4, "Something is missing"),
        ("a and and b", 6, "Something is missing"),
        ("or a", 0, "Something is missing"),
        ("()", 1, "Something is missing"),
        ("not", 2, "Something is missing"),
        ("a && b", 2, "Write and."),
        ("verb=get", 0, "Did you mean verb:get?"),
        ("code>=400", 0, "Did you mean code:>=400?"),
        ("verb!=get", 0, "Did you mean not verb:get?"),
        ("*", 0, "finds everything"),
        ("(" * 60 + "a" + ")" * 60, 40, "at most 40 deep"),
        ("a" * (LONGEST + 1), LONGEST, "at most 4,000 characters"),
    ],
)
def test_a_mistake_is_shown_in_its_place(typed, at, said):
    with pytest.raises(QueryInvalid) as refused:
        read(typed)
    assert said in str(refused.value)
    assert refused.value.at == at
