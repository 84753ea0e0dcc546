"""The API server's counts held against ours, honest about ends, restarts and what cannot be known."""

from datetime import UTC, datetime, timedelta

import pytest

from anomaly.errors import UsageError
from anomaly.intake.exposition import Sample, read_sample
from anomaly.intake.loss import estimate, growth

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
LATER = START + timedelta(hours=1)
PAGE = """\
# HELP apiserver_audit_event_total [ALPHA] Counter of audit events generated and sent to the audit backend.
# TYPE apiserver_audit_event_total counter
apiserver_audit_event_total 51263
apiserver_audit_error_total{plugin="webhook"} 400
apiserver_audit_error_total{plugin="buffered"} 1.7e+02
apiserver_audit_level_total{level="Metadata"} 30000
apiserver_audit_requests_rejected_total 0
apiserver_request_total{code="200",verb="GET"} 9e+06
process_start_time_seconds 1.7724420e+09
nonsense {
apiserver_audit_error_total{plugin="odd"} NaN
"""


def sample(generated, at=START, started=START - timedelta(days=1), instance="", **errors):
    return Sample(at, generated, errors, {}, 0, started, instance)


def test_a_page_is_read():
    found = read_sample(PAGE, LATER, "cp-1")
    assert (found.generated, found.errors, found.instance) == (
        51263,
        {"webhook": 400, "buffered": 170},
        "cp-1",
    )
    assert found.levels == {"Metadata": 30000} and found.rejected == 0
    assert found.started == datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "<html>403</html>", "apiserver_audit_event_total x", "up 1\n" * 1000, "\x00{}"]
)
def test_a_page_without_the_counter_is_refused(text):
    with pytest.raises(UsageError, match="apiserver_audit_event_total"):
        read_sample(text, START)


def test_all_that_was_counted_is_here():
    part = growth(sample(1_000, webhook=5.0), sample(3_000, LATER, webhook=5.0))
    loss = estimate([part], 1_990, 10, START - timedelta(days=2))
    assert (loss.generated, loss.errors) == (2_000, {"webhook": 0})
    assert loss.low < loss.completeness < loss.high == 1.0
    assert loss.unexplained == 0


def test_what_the_api_server_could_not_deliver_is_told_from_what_nobody_explains():
    part = growth(sample(1_000), sample(3_000, LATER, webhook=400.0, buffered=100.0))
    loss = estimate([part], 1_300, 20, START - timedelta(days=2))
    assert loss.errors == {"webhook": 400, "buffered": 100}
    assert loss.completeness == 0.65 and loss.high == pytest.approx(0.66)
    assert loss.unexplained == 180


def test_after_a_restart_it_counts_from_the_start_and_says_what_is_not_known():
    again = sample(500, LATER, started=START + timedelta(minutes=30))
    part = growth(sample(9_000), again)
    assert part.restarted and part.since == START + timedelta(minutes=30) and part.generated == 500
    assert any("anew" in one for one in estimate([part], 500, 0, START).caveats)


def test_a_counter_that_fell_is_a_restart_even_without_a_start_time():
    assert growth(sample(9_000, started=None), sample(500, LATER, started=None)) is None
    assert growth(None, sample(500, started=None)) is None


def test_several_api_servers_are_added_and_one_alone_is_doubted():
    parts = [
        growth(sample(0, instance=name), sample(1_000, LATER, instance=name, webhook=1.0))
        for name in ("a", "b")
    ]
    both = estimate(parts, 2_000, 0, START - timedelta(days=1))
    assert both.generated == 2_000 and both.errors == {"webhook": 2.0} and both.caveats == ()
    assert any("Only one" in one for one in estimate(parts[:1], 2_000, 0, START).caveats)
    assert any("More arrived" in one for one in estimate(parts[:1], 2_000, 0, START).caveats)


def test_an_idle_api_server_has_no_completeness():
    loss = estimate([growth(sample(5), sample(5, LATER))], 0, 0, None)
    assert loss.completeness is loss.low is loss.high is None
    assert any("first event" in one for one in loss.caveats)
