"""Stages left out, or written twice: which events of a request remain."""

from __future__ import annotations

from collections.abc import Iterator

from anomaly.policy.document import Level, Stage
from anomaly.policy.look import Look, in_text
from anomaly.policy.remark import Remark, Severity


def _omitted(look: Look) -> Iterator[tuple[str, set[str], bool]]:
    """Each place that omits stages, with all that are omitted there, and whether the place is a rule's."""
    common = set(look.policy.omit_stages)
    if common:
        yield "omitStages", common, False
    for index, rule in look.rules:
        if rule.omit_stages and rule.level != Level.NONE:
            yield f"rules[{index}].omitStages", common | set(rule.omit_stages), True


@in_text
def stages_left_out(look: Look) -> Iterator[Remark]:
    """This will name what is lost with the stages that are omitted."""
    for path, omitted, of_rule in _omitted(look):
        whose = "what this rule matches" if of_rule else "every request"
        if omitted >= set(Stage) - {Stage.PANIC}:
            yield look.remark(
                "omits-every-stage",
                Severity.ERROR,
                path,
                "every stage is omitted",
                f"nothing is written of {whose}, whatever the level",
                "omit RequestReceived only",
            )
        elif Stage.RESPONSE_COMPLETE in omitted:
            effect = f"answers, codes, bodies and changes of {whose} are not written; only that it was asked"
            yield look.remark(
                "omits-response-complete",
                Severity.ERROR,
                path,
                "ResponseComplete is omitted",
                effect,
                "omit RequestReceived instead",
            )
        elif Stage.RESPONSE_STARTED in omitted:
            effect = "failed logins (401) have no other stage, and watches, exec and port-forwards are seen only when they end"
            yield look.remark(
                "omits-response-started",
                Severity.WARNING,
                path,
                "ResponseStarted is omitted",
                effect,
                "keep it: only long-running requests and 401s have it",
            )


@in_text
def every_request_twice(look: Look) -> Iterator[Remark]:
    """This will say that RequestReceived doubles the log."""
    rules = [rule for rule in look.policy.rules if rule.level != Level.NONE]
    if (
        rules
        and not look.policy.omit_stages
        and not any(Stage.REQUEST_RECEIVED in rule.omit_stages for rule in rules)
    ):
        effect = "nearly every request is written twice: when it comes in, and when it is answered with all the same and more"
        yield look.remark(
            "request-received-kept",
            Severity.INFO,
            "rules",
            "RequestReceived is not omitted",
            effect,
            "add omitStages: [RequestReceived] to the policy",
        )


@in_text
def managed_fields_kept(look: Look) -> Iterator[Remark]:
    """This will say that bodies carry managedFields, often half of their size."""
    for index, rule in look.rules:
        kept = (
            not look.policy.omit_managed_fields
            if rule.omit_managed_fields is None
            else not rule.omit_managed_fields
        )
        if kept and rule.level in {Level.REQUEST, Level.REQUEST_RESPONSE}:
            effect = "every body carries its bookkeeping of field owners, which no detection needs"
            yield look.remark(
                "managed-fields-kept",
                Severity.INFO,
                f"rules[{index}]",
                f"bodies at {rule.level} keep managedFields",
                effect,
                "add omitManagedFields: true to the policy",
            )
            return
