"""Bodies that should not be written: secrets, working tokens, and patches whose body makes the event vanish."""

from __future__ import annotations

from collections.abc import Iterator

from anomaly.policy.document import Level, Stage
from anomaly.policy.look import Look, in_verdicts
from anomaly.policy.probes import PEOPLE, ask
from anomaly.policy.remark import Remark, Severity

_REQUEST = ("create", "update", "patch")
_ANSWER = ("get", "list", "create", "update", "patch")
_AUTHENTICATION = "authentication.k8s.io"


def _leaking(
    look: Look, target: str, group: str, sent: tuple[str, ...], answered: tuple[str, ...]
) -> dict[int, list[str]]:
    """For each deciding rule, the verbs whose bodies it writes."""
    found: dict[int, list[str]] = {}
    for verb in dict.fromkeys((*sent, *answered)):
        for actor in PEOPLE:
            request = ask(verb, target, actor, group=group)
            level, rule = look.level(request), look.decide(request).rule
            leaks = (level.rank >= Level.REQUEST.rank and verb in sent) or (
                level is Level.REQUEST_RESPONSE and verb in answered
            )
            if leaks and rule is not None and verb not in found.setdefault(rule, []):
                found[rule].append(verb)
    return {rule: verbs for rule, verbs in found.items() if verbs}


@in_verdicts
def secret_bodies(look: Look) -> Iterator[Remark]:
    """This will say where the contents of secrets, tokens and config maps are written into the log."""
    cases = (
        (
            "secret-bodies",
            Severity.ERROR,
            "secrets",
            "",
            _REQUEST,
            _ANSWER,
            "the values of secrets are in the log, in plain text",
        ),
        (
            "token-bodies",
            Severity.ERROR,
            "serviceaccounts/token",
            "",
            (),
            ("create",),
            "the answer is a working token of the service account",
        ),
        (
            "token-bodies",
            Severity.ERROR,
            "tokenreviews",
            _AUTHENTICATION,
            ("create",),
            ("create",),
            "the body is the token under review",
        ),
        (
            "configmap-bodies",
            Severity.WARNING,
            "configmaps",
            "",
            _REQUEST,
            _ANSWER,
            "config maps often hold credentials; CIS 3.2.2 wants them at Metadata",
        ),
    )
    for id, severity, target, group, sent, answered, effect in cases:
        for rule, verbs in _leaking(look, target, group, sent, answered).items():
            level = look.policy.rules[rule].level
            says = f"rules[{rule}] writes bodies of {target} ({', '.join(verbs)}) at {level}"
            where = f'group: "{group}"' if group else 'group: ""'
            remedy = f"put before it: level Metadata for {where}, resources: [{target}]"
            yield look.remark(id, severity, f"rules[{rule}]", says, effect, remedy)


@in_verdicts
def vanishing_patches(look: Look) -> Iterator[Remark]:
    """This will say that a patch whose body is no JSON has no finished event above Metadata (kube-apiserver up to 1.36.2)."""
    for target, group in (
        ("configmaps", ""),
        ("secrets", ""),
        ("pods", ""),
        ("deployments", "apps"),
        ("clusterrolebindings", "rbac.authorization.k8s.io"),
    ):
        request = ask("patch", target, group=group)
        decision = look.decide(request)
        if decision.rule is None or decision.level.rank < Level.REQUEST.rank:
            continue
        nothing = Stage.REQUEST_RECEIVED in decision.omit_stages
        left = (
            "nothing of it is written, though the object is changed"
            if nothing
            else "only its RequestReceived is left"
        )
        effect = f"server-side apply with a YAML body cannot be written at {decision.level}: {left}; over a webhook its whole batch is lost"
        remedy = (
            "keep verbs: [patch] at Metadata, or RequestReceived for them; watch apiserver_audit_error_total"
        )
        severity = Severity.WARNING if nothing else Severity.INFO
        yield look.remark(
            "patch-vanishes",
            severity,
            f"rules[{decision.rule}]",
            f"patches of {target} are written at {decision.level}",
            effect,
            remedy,
        )
        return
