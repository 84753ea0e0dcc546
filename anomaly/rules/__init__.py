"""Rules: what needs no baseline to be worth a look, written in Sigma and compiled to predicates.

Here belong the language (fields, conditions, correlations), its checks and its compiler, and the pack itself: one file a rule
in `pack/`, found because it is there. Not here: findings made from matches, exceptions, anything with SQL, a clock or a socket.
To add a rule, write `pack/<name>.yml` with firing and quiet examples, then `anomaly rules check` and `anomaly rules test` it.
"""

from anomaly.rules.compile import Plan, RuleSet
from anomaly.rules.correlate import Episode, affected, correlate
from anomaly.rules.correlation import Correlation, Match
from anomaly.rules.pack import load, pack
from anomaly.rules.problem import Problem, RuleFileInvalid
from anomaly.rules.rule import Rule

__all__ = [
    "Correlation",
    "Episode",
    "Match",
    "Plan",
    "Problem",
    "Rule",
    "RuleFileInvalid",
    "RuleSet",
    "affected",
    "correlate",
    "load",
    "pack",
]
