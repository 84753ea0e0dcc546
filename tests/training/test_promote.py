import pytest

from models import Threshold
from training.evaluate import Report
from training.promote import Decision, decide


def report(recall=0.8, alerts=5.0, found=3, high=9.0, promised=True):
    threshold = Threshold(1e-3, 5.0, 2.0, high, promised)
    return Report(recall, {}, {}, 0.1, threshold, 1_000.0, 5_000, alerts, found, 3)


def test_the_first_model_is_promoted():
    assert decide(report(), None, None) == Decision(True, "Promoted, as there is no other model.")


@pytest.mark.parametrize(
    ("candidate", "doubt"),
    [
        pytest.param(report(recall=0.04), "it finds only 4% of planted deviations", id="finds few"),
        pytest.param(report(promised=False), "calibrated on too few windows", id="thin calibration"),
        pytest.param(report(alerts=90.0), "90 quiet windows a day", id="floods people"),
    ],
)
def test_a_doubtful_first_model_is_promoted_with_a_plain_warning(candidate, doubt):
    decision = decide(candidate, None, None)
    assert decision.promote
    assert doubt in decision.reason
    assert "train again with more history" in decision.reason
    assert decision.reason.count(".") == 1


@pytest.mark.parametrize(
    ("candidate", "steady", "reason"),
    [
        pytest.param(report(recall=0.6), 0.9, "60% of planted deviations against 80%", id="finds less"),
        pytest.param(report(recall=0.95, found=2), 0.9, "misses 1 confirmed", id="loses a confirmed attack"),
        pytest.param(report(recall=0.95, alerts=90.0), 0.9, "90 quiet windows a day", id="floods people"),
        pytest.param(report(recall=0.81), 0.2, "ranks otherwise", id="no better and unsteady"),
    ],
)
def test_a_worse_candidate_is_refused_with_the_reason(candidate, steady, reason):
    decision = decide(candidate, report(), steady)
    assert not decision.promote
    assert reason in decision.reason
    assert decision.reason.count(".") == 1


@pytest.mark.parametrize(
    ("candidate", "champion", "steady"),
    [
        pytest.param(report(recall=0.9), report(), 0.2, id="finds more"),
        pytest.param(report(), report(), 0.9, id="as good and steady"),
        pytest.param(report(recall=0.79), report(), 0.9, id="within the spread"),
        pytest.param(report(), report(), None, id="too few windows to say how steady"),
        pytest.param(report(alerts=90.0), report(alerts=95.0), 0.9, id="floods no more than the champion"),
        pytest.param(report(recall=None), report(), None, id="nothing to plant into"),
    ],
)
def test_a_candidate_that_is_no_worse_is_promoted(candidate, champion, steady):
    assert decide(candidate, champion, steady).promote
