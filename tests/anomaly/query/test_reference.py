"""The page says what the program does."""

from pathlib import Path

import pytest

from anomaly.query import read, write
from anomaly.query.fields import FIELDS, NAMES
from anomaly.query.reference import PAGE, with_table

ROOT = Path(__file__).parents[3]


def test_the_page_holds_the_fields_of_the_program():
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    assert with_table(text) == text, "renew it: python -m anomaly.query.reference"


def test_the_questions_of_the_page_can_be_read():
    block = (ROOT / PAGE).read_text(encoding="utf-8").split("```")[1]
    questions = [line for line in block.splitlines() if line]
    assert len(questions) == 4
    for question in questions:
        assert read(write(read(question))) == read(question)


@pytest.mark.parametrize("field", FIELDS.values(), ids=lambda field: field.name)
def test_every_example_asks_for_its_own_field(field):
    assert write(read(field.example)).startswith(f"{field.name}:")
    assert all(NAMES[name] == field.name for name in (field.name, *field.aliases))
