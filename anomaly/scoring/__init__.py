"""From a window to a judgement: score, name, severity, words and evidence of a deviation. Pure: model and past are handed in.

To add a name, add its line to `catalogue.py` and its witness to `witnesses.py`. Not here: findings, their merging and their keeping.
"""

from anomaly.scoring.context import Context
from anomaly.scoring.deviation import Deviation, Part
from anomaly.scoring.scorer import Scores, appraise, deviation, deviations, judge, score

__all__ = ["Context", "Deviation", "Part", "Scores", "appraise", "deviation", "deviations", "judge", "score"]
