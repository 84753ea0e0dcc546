"""Trying the product on a log whose attacks are known: read it, train on its quiet part, judge the rest, compare with the labels.

Here: labels, the trial itself, what it found. The demonstration and the detection benchmark are both trials. Not here: anything
that a running service needs.
"""

from anomaly.trials.labels import Episode, load_labels
from anomaly.trials.trial import Outcome, run_trial

__all__ = ["Episode", "Outcome", "load_labels", "run_trial"]
