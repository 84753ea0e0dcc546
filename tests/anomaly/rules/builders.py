"""Rules in a line, for the tests of this folder."""

from anomaly.events.shape import shape_of
from anomaly.rules import RuleSet
from anomaly.rules.document import read_text
from anomaly.rules.pack import parse_all, rule_set
from anomaly.rules.problem import RuleFileInvalid


def rules_of(text):
    """The rules in a YAML text; raises RuleFileInvalid as loading a file does."""
    found, problems = parse_all(read_text(text))
    if problems:
        raise RuleFileInvalid(problems)
    return rule_set(found)


def rule_of(selection, condition="selection", extra=""):
    """One rule with a selection of `;`-separated lines."""
    lines = "\n".join(f"    {line.strip()}" for line in selection.split(";;"))
    text = f"title: test\n{extra}detection:\n  selection:\n{lines}\n  condition: {condition}\n"
    return rules_of(text).rules[0]


def fires(rule, event):
    """Whether the rule matches, asked of the plain evaluation and of the plan, which must agree."""
    shape = shape_of(event)
    plain = rule.matches(event, shape)
    rules = RuleSet((rule,))
    planned = bool(rules.matches(event, shape))
    assert plain is planned, f"plain says {plain}, the plan {planned}"
    return plain
