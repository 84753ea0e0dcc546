import pytest

from anomaly.features.registry import definitions
from anomaly.scoring.amounts import contribution_text, in_words, number
from anomaly.scoring.deviation import Part


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (2.251e7, "windows to one", "less than 1 in 1,000 windows"),
        (21.0, "windows to one", "about 1 in 22 windows"),
        (0.4, "windows to one", "nothing rare"),
        (270.0, "spans without", "never seen in 270 windows"),
        (451_000.0, "spans without", "never seen in over 1,000 windows"),
        (0.0085, "spans without", "nothing new"),
        (25.0, "secrets", "25 secrets"),
        (1.0, "secrets", "1 secret"),
        (0.01, "requests", "none"),
        (2_412_000.0, "bytes", "2.4 million bytes"),
        (3.0, "tenths", "3 of 10"),
        (7.4, "weighted nats", "very unlikely"),
        (None, "requests", "unknown"),
    ],
)
def test_amounts_are_said_as_people_say_them(value, unit, expected):
    assert in_words(value, unit) == expected


def test_no_feature_is_ever_said_in_powers_of_ten():
    for definition in definitions():
        for value in (0.0, 0.3, 1.0, 17.5, 999.6, 2.251e7, 1e300):
            said = in_words(value, definition.feature.unit)
            assert "e+" not in said and len(said) < 80, definition.feature.name


def test_a_contribution_says_value_usual_and_peers_once():
    part = Part(
        "rarity.address", "how unlikely the least likely address is", "windows to one", 2e7, 0.4, None, 0.4
    )

    assert contribution_text(part) == (
        "the least likely address: less than 1 in 1,000 windows, usually nothing rare"
    )


def test_numbers_keep_what_matters():
    assert [number(value) for value in (0.04, 1.0, 1.44, 12.4, 1234.0, 3.2e12)] == [
        "none", "1", "1.4", "12", "1,234", "more than a thousand million",
    ]  # fmt: skip
