import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.events.identity import EntityKind
from anomaly.scoring.deviation import Part
from anomaly.scoring.naming import name_of
from anomaly.scoring.sight import Sight, Term
from anomaly.scoring.words import LONGEST, normal, plain, reason
from anomaly.windows.dimension import Dimension

TOKEN = Term(Dimension.ACTION, "create serviceaccounts/token", 4, 7.0, 7.0, True)
SEEN = Sight(EntityKind.HUMAN, {Dimension.ACTION: (TOKEN,)})
PART = Part("privileges.tokens_minted", "tokens asked for", "requests", 4.0, 0.0, 0.2, 0.7)


def said(confidence=0.8, parts=(PART,), seen=SEEN):
    return reason("amy", name_of(seen), seen, parts, "people in payments", confidence)


def test_it_says_what_happened_and_what_is_usual():
    assert said() == (
        'amy did "create serviceaccounts/token" 4 times. '
        "Never before by it or its peers (people in payments); tokens asked for: 4, usually none. "
        "Confidence: high."
    )


def test_what_was_done_before_is_said_by_how_seldom():
    seldom = Term(Dimension.ACTION, "create serviceaccounts/token", 1, 3.0, 0.0, False)
    seen = Sight(EntityKind.HUMAN, {Dimension.ACTION: (seldom,)})

    assert "Seen in about 1 in 20 of its own windows" in said(parts=(), seen=seen)


@given(st.lists(st.text(max_size=300), min_size=1, max_size=40), st.text(max_size=300), st.text(max_size=300))
def test_the_first_two_sentences_stay_short_whatever_names_are_in_them(texts, title, peers):
    terms = {
        dimension: tuple(Term(dimension, text, 1234567, 9.0, 9.0, True) for text in texts)
        for dimension in (Dimension.ACTION, Dimension.SECRET, Dimension.IMPERSONATED, Dimension.ADDRESS)
    }
    seen = Sight(EntityKind.HUMAN, terms)
    found = reason(title, name_of(seen), seen, (PART,), peers, 0.8).partition(" Also: ")[0]

    assert len(found.removesuffix(" Confidence: high.")) <= 400
    assert found.isprintable()


@pytest.mark.parametrize(
    ("confidence", "stranger", "expected"),
    [
        (0.8, False, "Confidence: high."),
        (0.3, False, "Confidence: fair."),
        (0.1, False, "Confidence: low, little"),
        (0.8, True, "Confidence: low, since"),
        (0.0, False, "Confidence: low, since"),
    ],
)
def test_it_says_how_sure_it_is(confidence, stranger, expected):
    seen = Sight(EntityKind.HUMAN, SEEN.terms, stranger=stranger)

    assert expected in said(confidence, seen=seen)


def test_odds_are_not_said_as_amounts():
    rarity = Part(
        "rarity.action", "how unlikely the least likely action is", "windows to one", 900.0, 1.0, 1.0, 0.9
    )

    assert "unlikely" not in said(parts=(rarity,))


def test_what_would_have_been_normal():
    titles = {"entering.forwards": "port-forwards", "volume.requests": "requests made"}

    assert normal((("entering.forwards", 0.0), ("volume.requests", 12.0)), titles) == (
        "It would have been normal with no port-forwards; requests made at 12."
    )
    assert normal((), titles) == ""
    assert normal(None, titles).startswith("No small number of changes")


@given(st.text(max_size=300))
def test_whatever_an_attacker_writes_stays_on_one_short_line(text):
    found = plain(text)

    assert len(found) <= LONGEST
    assert found.isprintable()
