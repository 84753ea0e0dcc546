from pathlib import Path

from anomaly.features.reference import page

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "features.md"


def test_the_page_of_features_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "write it anew: python -c 'from anomaly.features.reference import page; print(page(), end=\"\")' "
        "> docs/reference/features.md"
    )


def test_every_feature_says_why_it_is_looked_at():
    rows = [line for line in page().splitlines() if line.startswith("| `")]

    assert len(rows) > 100
    assert all(len(row.split("|")[3].split()) >= 3 for row in rows)
