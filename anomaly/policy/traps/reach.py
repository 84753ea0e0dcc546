"""Rules that come too late, or cover less than they seem to: first match wins, and most wildcards are shorter than they look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from anomaly.policy import known
from anomaly.policy.cover import covers
from anomaly.policy.document import Level, Rule
from anomaly.policy.doubt import of_group, of_user
from anomaly.policy.look import Look, in_text, in_verdicts
from anomaly.policy.probes import ALL, Actor, ask
from anomaly.policy.remark import Remark, Severity
from anomaly.policy.request import Request

_TELLING = {
    "pods": ("exec", "attach", "portforward", "ephemeralcontainers", "log"),
    "services": ("proxy",),
    "nodes": ("proxy",),
    "serviceaccounts": ("token",),
    "certificatesigningrequests": ("approval",),
    "deployments": ("scale",),
}
_NAMELESS = frozenset({"create", "list", "watch", "deletecollection"})


@in_text
def rules_never_reached(look: Look) -> Iterator[Remark]:
    """This will name every rule whose requests an earlier rule takes, all of them."""
    rules = look.policy.rules
    for index, rule in look.rules:
        taker = next((before for before in range(index) if covers(rules[before], rule)), None)
        if taker is None:
            continue
        lost = "leaves nothing out" if rule.level == Level.NONE else f"writes nothing at {rule.level}"
        yield look.remark(
            "rule-never-reached",
            Severity.ERROR if rules[taker].level != rule.level else Severity.WARNING,
            f"rules[{index}]",
            f"rules[{index}] is never asked: rules[{taker}] (line {look.line(f'rules[{taker}]')}) takes all its requests",
            f"the first rule that matches decides; this one {lost}",
            f"move it before rules[{taker}], or remove it",
        )


def actor_of(rule: Rule) -> Actor:
    """This will return somebody the rule matches, as far as users and groups tell."""
    alive = [user for user in rule.users if (found := of_user(user)) is None or not found.dead]
    groups = [group for group in rule.user_groups if of_group(group) is None]
    return Actor(alive[0] if alive else "someone@example.com", (*groups, ALL))


def _samples(rule: Rule, verb: str) -> Iterator[Request]:
    """One request for each resource the rule names, by somebody and somewhere it matches."""
    namespace = rule.namespaces[0] if rule.namespaces else "shop"
    for entry in rule.resources:
        for item in entry.resources:
            group = "apps" if entry.group == "*" else entry.group
            name = entry.resource_names[0] if entry.resource_names else "probe-object"
            if "*" not in item:
                yield ask(verb, item, actor_of(rule), group=group, namespace=namespace, name=name)


@in_verdicts
def verbs_left_out(look: Look) -> Iterator[Remark]:
    """This will name rules on writes that miss the patch of `kubectl apply`, or the delete of many at once."""
    partners = (
        ("update", "patch", "kubectl apply, edit, label, annotate and scale all patch"),
        ("delete", "deletecollection", "one deletecollection deletes them all"),
    )
    for index, rule in look.rules:
        for has, lacks, why in partners:
            if rule.level == Level.NONE or has not in rule.verbs or lacks in rule.verbs:
                continue
            missed = next(
                (
                    request
                    for request in _samples(rule, lacks)
                    if look.level(request).rank < Level(rule.level).rank
                ),
                None,
            )
            if missed is None:
                continue
            yield look.remark(
                "verb-left-out",
                Severity.WARNING,
                f"rules[{index}].verbs",
                f"verbs has {has} but not {lacks}",
                f"{why}: `{missed.sentence}` gets level {look.level(missed)} instead of {rule.level}",
                f"add {lacks}",
            )


@in_verdicts
def subresources_left_out(look: Look) -> Iterator[Remark]:
    """This will name resources whose telling subresources the rule does not cover: `pods` is not `pods/exec`."""
    for index, rule in look.rules:
        if rule.level == Level.NONE:
            continue
        for number, entry in enumerate(rule.resources):
            for position, item in enumerate(entry.resources):
                missed = _missed(look, rule, entry.group, item)
                if missed:
                    path = f"rules[{index}].resources[{number}].resources[{position}]"
                    effect = f"it names {item} alone; {', '.join(missed)} are not written"
                    remedy = f"add {', '.join(missed)}, or write {item}/* for {item} with all subresources"
                    yield look.remark(
                        "subresource-left-out",
                        Severity.WARNING,
                        path,
                        f"{item} does not cover its subresources",
                        effect,
                        remedy,
                    )


def _missed(look: Look, rule: Rule, group: str, item: str) -> list[str]:
    row = next((row for row in known.find(item) if row.group == group), None)
    if row is None:
        return []
    missed = []
    for sub in _TELLING.get(item, ()):
        verbs = (
            ("get", "create")
            if sub in {"exec", "attach", "portforward", "proxy"}
            else ("get",)
            if sub == "log"
            else ("patch", "create")
        )
        asked = [ask(verb, f"{item}/{sub}", actor_of(rule), group=group) for verb in verbs]
        if rule.namespaces:
            asked = [replace(request, namespace=rule.namespaces[0]) for request in asked]
        if all(look.level(request) is Level.NONE for request in asked) and not _names(rule, f"{item}/{sub}"):
            missed.append(f"{item}/{sub}")
    return missed


def _names(rule: Rule, whole: str) -> bool:
    return any(whole in entry.resources for entry in rule.resources)


@in_text
def wildcards_wider_than_they_look(look: Look) -> Iterator[Remark]:
    """This will say that `pods/*` matches plain pods too."""
    for index, rule in look.rules:
        for number, entry in enumerate(rule.resources):
            for position, item in enumerate(entry.resources):
                if item.endswith("/*") and item != "*/*":
                    path = f"rules[{index}].resources[{number}].resources[{position}]"
                    effect = f"it matches {item[:-2]} themselves too, not only what is below them"
                    yield look.remark(
                        "star-covers-parent",
                        Severity.INFO,
                        path,
                        f"resources has {item}",
                        effect,
                        "put a rule for the plain resource first to treat it apart",
                    )


@in_text
def names_that_requests_lack(look: Look) -> Iterator[Remark]:
    """This will say that creates and lists have no name when the policy is asked."""
    for index, rule in look.rules:
        for number, entry in enumerate(rule.resources):
            if (
                not entry.resource_names
                or "" in entry.resource_names
                or all("/" in item for item in entry.resources)
            ):
                continue
            verbs = set(rule.verbs) or set(known.RESOURCE_VERBS)
            lost = [verb for verb in known.RESOURCE_VERBS if verb in verbs & _NAMELESS]
            if not lost:
                continue
            never = bool(rule.verbs) and verbs <= _NAMELESS
            effect = f"{', '.join(lost)} have no name when the policy is asked (only a field selector gives a list one)"
            yield look.remark(
                "names-miss-creates-and-lists",
                Severity.ERROR
                if never and verbs <= {"create", "deletecollection"}
                else Severity.WARNING
                if rule.verbs
                else Severity.INFO,
                f"rules[{index}].resources[{number}].resourceNames",
                "resourceNames cannot match every verb of this rule",
                f"{effect}; such requests are not matched even if the object is listed",
                'add "" to match requests without a name, or make a rule without resourceNames',
            )


@in_text
def namespaces_of_cluster_resources(look: Look) -> Iterator[Remark]:
    """This will name rules that ask for a namespace of resources that have none."""
    for index, rule in look.rules:
        if not rule.namespaces or "" in rule.namespaces or not rule.resources:
            continue
        rows = [
            (entry.group, item.partition("/")[0])
            for entry in rule.resources
            for item in entry.resources or ("*",)
        ]
        if all(_cluster_scoped(group, base) for group, base in rows):
            yield look.remark(
                "namespace-of-cluster-resource",
                Severity.ERROR,
                f"rules[{index}].namespaces",
                "none of the resources of this rule lives in a namespace",
                f"requests for them have no namespace, so rules[{index}] never matches",
                "remove namespaces from the rule",
            )


@in_text
def namespace_objects(look: Look) -> Iterator[Remark]:
    """This will say that a rule on a namespace matches requests for the Namespace object of that name."""
    for index, rule in look.rules:
        named = any("namespaces" in entry.resources for entry in rule.resources if not entry.group)
        if named and any(rule.namespaces):
            effect = "the Namespace object of that name counts as inside of it; creating it, or listing all, does not"
            says = "namespaces asks for requests on Namespace objects"
            yield look.remark(
                "namespace-object",
                Severity.INFO,
                f"rules[{index}].namespaces",
                says,
                effect,
                'add "" for creates and lists',
            )


@in_text
def hidden_impersonation(look: Look) -> Iterator[Remark]:
    """This will say that leaving out a user leaves out whatever that user does in the name of others."""
    for index, rule in look.rules:
        everything = not (rule.resources or rule.namespaces or rule.non_resource_urls or rule.verbs)
        if rule.level == Level.NONE and everything and (rule.users or rule.user_groups):
            effect = "the policy sees the real caller: what they do while impersonating others is left out, what others do as them is not"
            remedy = "narrow the rule to the verbs and resources that make the noise"
            yield look.remark(
                "impersonation-hidden",
                Severity.INFO,
                f"rules[{index}]",
                "everything of some users is left out",
                effect,
                remedy,
            )


def _cluster_scoped(group: str, base: str) -> bool:
    rows = [row for row in known.find(base) if row.group == group]
    return bool(rows) and not rows[0].namespaced and base != "namespaces"


@in_verdicts
def lists_over_all_namespaces(look: Look) -> Iterator[Remark]:
    """This will say that `kubectl get -A` has no namespace and escapes a rule on namespaces."""
    for index, rule in look.rules:
        reads = not rule.verbs or {"list", "watch"} & set(rule.verbs)
        if rule.level == Level.NONE or not rule.namespaces or "" in rule.namespaces or not reads:
            continue
        samples = [replace(request, namespace="") for request in _samples(rule, "list")]
        missed = next(
            (request for request in samples if look.level(request).rank < Level(rule.level).rank), None
        )
        if missed is not None:
            effect = f"a list over all namespaces has none: `{missed.sentence}` gets level {look.level(missed)}, though it returns {rule.namespaces[0]} too"
            yield look.remark(
                "all-namespaces-escape",
                Severity.WARNING,
                f"rules[{index}].namespaces",
                "only requests inside the namespace match",
                effect,
                'add "" to namespaces',
            )
