"""What the policy does not see: asked with requests every security team cares for, by a person, an admin and a workload."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from anomaly.policy.cover import covers
from anomaly.policy.document import Level, Rule, Stage
from anomaly.policy.look import Look, in_verdicts
from anomaly.policy.match import stages_of
from anomaly.policy.probes import NOBODY, PEOPLE, Actor, ask, everything
from anomaly.policy.remark import Remark, Severity
from anomaly.policy.request import Request
from anomaly.policy.traps.values import dead_criterion

_RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Topic:
    """Something worth seeing: the requests that show it, and what is lost without."""

    name: str
    asks: tuple[tuple[str, str, str], ...]
    loss: str


def _writes(
    *targets: str, group: str = "", verbs: tuple[str, ...] = ("create", "update", "patch", "delete")
) -> tuple[tuple[str, str, str], ...]:
    return tuple((verb, target, group) for target in targets for verb in verbs)


TOPICS = (
    Topic(
        "reads of secrets",
        (("get", "secrets", ""), ("list", "secrets", ""), ("watch", "secrets", "")),
        "stolen credentials leave no trace",
    ),
    Topic("writes of secrets", _writes("secrets"), "planted or destroyed credentials leave no trace"),
    Topic(
        "commands in pods",
        (("create", "pods/exec", ""), ("create", "pods/attach", ""), ("create", "pods/portforward", "")),
        "nobody sees who worked inside of a pod",
    ),
    Topic(
        "debug containers",
        (("patch", "pods/ephemeralcontainers", ""),),
        "a shell can be added to a running pod unseen",
    ),
    Topic("new tokens", (("create", "serviceaccounts/token", ""),), "credentials can be issued unseen"),
    Topic("new pods", (("create", "pods", ""),), "privileged pods can be started unseen"),
    Topic(
        "writes of workloads",
        _writes("deployments", "daemonsets", group="apps") + _writes("cronjobs", group="batch"),
        "persistence by workload leaves no trace",
    ),
    Topic(
        "changes of permissions",
        _writes("roles", "rolebindings", "clusterroles", "clusterrolebindings", group=_RBAC),
        "privilege escalation leaves no trace",
    ),
    Topic(
        "admission webhooks",
        _writes(
            "mutatingwebhookconfigurations",
            "validatingwebhookconfigurations",
            group="admissionregistration.k8s.io",
        ),
        "requests can be intercepted or changed unseen",
    ),
    Topic(
        "certificates",
        (
            ("create", "certificatesigningrequests", "certificates.k8s.io"),
            ("update", "certificatesigningrequests/approval", "certificates.k8s.io"),
        ),
        "lasting credentials can be made unseen",
    ),
    Topic(
        "the nodes' own API",
        (("get", "nodes/proxy", ""), ("create", "nodes/proxy", "")),
        "commands can be run past the API server's audit",
    ),
    Topic(
        "deletions of many",
        (("deletecollection", "pods", ""), ("deletecollection", "secrets", "")),
        "mass destruction leaves no trace",
    ),
    Topic(
        "deletions of events",
        (("delete", "events", ""), ("deletecollection", "events", "")),
        "cleared traces are not noticed",
    ),
)


@in_verdicts
def blind_spots(look: Look) -> Iterator[Remark]:
    """This will name, for each rule to blame, the topics of which some request is not written, with one such request."""
    blamed: dict[int | None, list[tuple[Topic, list[Request]]]] = {}
    for topic in TOPICS:
        unseen = [request for request in _requests(topic) if look.level(request) is Level.NONE]
        if unseen:
            blamed.setdefault(look.decide(unseen[0]).rule, []).append((topic, unseen))
    for rule, topics in blamed.items():
        first = topics[0][1][0]
        blame = "no rule matches it" if rule is None else f"rules[{rule}] decides"
        yield look.remark(
            "blind-spot",
            Severity.WARNING,
            "" if rule is None else f"rules[{rule}]",
            f"not written: {'; '.join(_summary(topic, unseen) for topic, unseen in topics)}",
            f"`{first.sentence}` is not written: {blame}; {'; '.join(topic.loss for topic, _ in topics)}",
            "put rules at level Metadata for them "
            + ("at the end" if rule is None else f"before rules[{rule}]"),
        )


def _summary(topic: Topic, unseen: list[Request]) -> str:
    verbs = dict.fromkeys(request.verb for request in unseen)
    return f"{topic.name} ({', '.join(verbs)})"


def _requests(topic: Topic) -> Iterator[Request]:
    actors: tuple[Actor, ...] = PEOPLE
    for verb, target, group in topic.asks:
        for actor in actors:
            yield ask(verb, target, actor, group=group)


@in_verdicts
def exec_by_websocket(look: Look) -> Iterator[Remark]:
    """This will say that dropping `get` drops kubectl's exec, which is a get since it speaks WebSocket."""
    asked = [
        ask("get", f"pods/{sub}", actor) for sub in ("exec", "attach", "portforward") for actor in PEOPLE
    ]
    unseen = [request for request in asked if look.level(request) is Level.NONE]
    if not unseen:
        return
    rule = look.decide(unseen[0]).rule
    blame = "no rule matches it" if rule is None else f"rules[{rule}] takes it for a read"
    targets = ", ".join(dict.fromkeys(request.target for request in unseen))
    yield look.remark(
        "exec-over-websocket",
        Severity.ERROR,
        "" if rule is None else f"rules[{rule}]",
        f"{targets} by get: not written",
        f"kubectl exec is a get since it speaks WebSocket: `{unseen[0].sentence}` is not written, {blame}",
        'first a rule for resources: [{group: "", resources: [pods/exec, pods/attach, pods/portforward]}] without verbs',
    )


@in_verdicts
def failed_logins(look: Look) -> Iterator[Remark]:
    """This will say that requests with a bad credential are not written."""
    request = ask("list", "secrets", NOBODY)
    decision = look.decide(request)
    if decision.stages(stages_of(request, 401)):
        return
    if decision.rule is None:
        effect = "a 401 has no user and no group, so only rules without users and userGroups match it; here none does"
        remedy = "end the policy with a rule without users and userGroups"
    elif decision.level is Level.NONE:
        effect = f"rules[{decision.rule}] drops them at level None"
        remedy = f"restrict rules[{decision.rule}] by users or userGroups: a 401 has neither"
    else:
        effect = "the only event of a 401 is its ResponseStarted, and that stage is omitted"
        remedy = "remove ResponseStarted from omitStages"
    path = (
        "omitStages"
        if decision.level is not Level.NONE
        else ""
        if decision.rule is None
        else f"rules[{decision.rule}]"
    )
    yield look.remark(
        "failed-logins-lost", Severity.WARNING, path, "failed logins (401) are not written", effect, remedy
    )


@in_verdicts
def what_no_rule_matches(look: Look) -> Iterator[Remark]:
    """This will say what falls through all rules, and whether anything is written at all."""
    asked = list(everything())
    through = [request for request in asked if look.decide(request).rule is None]
    written = [request for request in asked if look.level(request) is not Level.NONE]
    last = f"rules[{len(look.policy.rules) - 1}]"
    if not any(_lives(look, index, rule) for index, rule in look.rules):
        effect = "every rule is at level None, cannot match, comes too late, or leaves out every stage"
        remedy = "see the other remarks; the smallest useful policy is one rule `- level: Metadata`"
        yield look.remark(
            "nothing-written", Severity.ERROR, "rules", "this policy writes nothing", effect, remedy
        )
    elif not written:
        effect = f"of {len(asked):,} requests of every kind, by people, nodes and strangers, none is written"
        remedy = "end with a rule `- level: Metadata`"
        yield look.remark(
            "little-written", Severity.WARNING, "rules", "this policy writes next to nothing", effect, remedy
        )
    elif through:
        share = 100 * len(through) // len(asked)
        effect = (
            f"what no rule matches has level None: {share} % of the kinds of requests there are,"
            f" `{through[0].sentence}` among them"
        )
        remedy = "end with `- level: Metadata` to miss nothing"
        yield look.remark(
            "no-last-rule", Severity.INFO, last, "the policy has no rule for the rest", effect, remedy
        )


def _lives(look: Look, index: int, rule: Rule) -> bool:
    """Whether the rule can make anything be written."""
    omitted = {*look.policy.omit_stages, *rule.omit_stages}
    if rule.level == Level.NONE or dead_criterion(rule) is not None or omitted >= set(Stage) - {Stage.PANIC}:
        return False
    return not any(covers(before, rule) for before in look.policy.rules[:index])
