"""No page is forgotten when the time of pages is measured."""

from datetime import UTC, datetime

from benchmarks.bench_pages import NOT_PAGES, Known, page_routes, pages

AT = datetime(2026, 11, 23, tzinfo=UTC)


def test_every_page_of_the_route_table_is_asked_for():
    one = "00000000-0000-0000-0000-000000000001"
    have = Known(AT, AT, [one], [one], ["ann"], ("prod", 0, one), ["exec-into-pod"], 2, 1)
    asked = {
        page.route for page in pages(have, dict.fromkeys(("training", "comparison", "replay", "trial"), 1))
    }
    assert asked | NOT_PAGES.keys() == page_routes()
    assert not asked & NOT_PAGES.keys()
