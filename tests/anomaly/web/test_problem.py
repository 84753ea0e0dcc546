"""Every error has one answer, and what is inside stays inside."""

import json

import psycopg
import pytest

from anomaly import errors
from anomaly.web.problem import BodyTooSlow, ComeBack, NotAuthenticated, of_error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotAuthenticated(), 401),
        (errors.Refused(), 403),
        (errors.NotFound("There is no cluster 'x'."), 404),
        (BodyTooSlow(), 408),
        (errors.MoveNotAllowed(), 409),
        (errors.UsageError("No."), 422),
        (ComeBack(), 503),
        (errors.DatabaseUnavailable("postgresql://u@10.0.0.7/x does not answer"), 503),
        (psycopg.errors.AdminShutdown("terminating"), 503),
        (errors.AnomalyError("Something."), 400),
        (ValueError("secret words"), 500),
    ],
)
def test_an_error_has_its_status_and_form(error, status):
    answer = of_error(error)
    content = json.loads(answer.body)
    assert answer.status_code == content["status"] == status
    assert answer.media_type == "application/problem+json"
    assert content["title"]
    assert ("retry-after" in answer.headers) == (status == 503)
    assert ("www-authenticate" in answer.headers) == (status == 401)


def test_addresses_and_words_of_drivers_and_bugs_stay_inside():
    for error in (
        errors.DatabaseUnavailable("host 10.0.0.7"),
        psycopg.OperationalError("host 10.0.0.7"),
        KeyError("10.0.0.7"),
    ):
        assert b"10.0.0.7" not in of_error(error).body


def test_senders_who_are_refused_together_do_not_come_back_together():
    waits = {int(of_error(ComeBack()).headers["retry-after"]) for _ in range(200)}
    assert waits <= set(range(5, 16))
    assert len(waits) > 3


def test_hints_are_passed_on():
    content = json.loads(of_error(errors.NotFound("Not there.", hint="Look elsewhere.")).body)
    assert (content["detail"], content["hint"]) == ("Not there.", "Look elsewhere.")
