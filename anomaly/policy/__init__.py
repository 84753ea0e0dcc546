"""The audit policy: read as kube-apiserver reads it, asked as it asks it, and judged for what it hides and what it costs.

Here belongs whatever can be said of a policy (or of the webhook kubeconfig beside it) from its file, from requests and from
stored events handed in. Everything is pure: bytes and values in, values out; files, the store and the clock are the callers'.
To add a trap, write one function in `traps/` with the decorator and a test that fires and one that stays quiet.
"""

from anomaly.policy.document import Level, Policy, Rule, Stage
from anomaly.policy.match import Decision, Matcher, decide
from anomaly.policy.parse import PolicyRefused, Reading, parse, read
from anomaly.policy.request import Request

__all__ = [
    "Decision",
    "Level",
    "Matcher",
    "Policy",
    "PolicyRefused",
    "Reading",
    "Request",
    "Rule",
    "Stage",
    "decide",
    "parse",
    "read",
]
