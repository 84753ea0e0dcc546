"""Trying the product on a log whose attacks are known: read it, train on its quiet part, judge the rest, compare with the labels.

Here: labels, the trial itself, what it found, whether that is right. The demonstration and the detection benchmark are both
trials. Not here: anything that a running service needs.
"""

from anomaly.trials.labels import Episode, labels_in, load_labels, present_ids
from anomaly.trials.report import Report, report_of, summary
from anomaly.trials.trial import Outcome, Plan, run_trial

__all__ = [
    "Episode",
    "Outcome",
    "Plan",
    "Report",
    "labels_in",
    "load_labels",
    "present_ids",
    "report_of",
    "run_trial",
    "summary",
]
