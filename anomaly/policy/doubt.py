"""Why a single value of a criterion can match nothing: the reasoning that the traps on values and on whole rules share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from anomaly.policy import known
from anomaly.policy.document import GroupResources, Rule
from anomaly.policy.remark import Severity
from anomaly.policy.route import route

_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_ACCOUNT: Final = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is wrong with one value. `dead` says that it certainly matches no request at all."""

    id: str
    severity: Severity
    why: str
    remedy: str
    dead: bool = True


def _dead(id: str, why: str, remedy: str) -> Doubt:
    return Doubt(id, Severity.ERROR, why, remedy)


def _unlikely(id: str, why: str, remedy: str) -> Doubt:
    return Doubt(id, Severity.WARNING, why, remedy, dead=False)


def _wildcard(field: str) -> Doubt:
    return _dead(
        "wildcard-never-matches",
        f"`*` is no wildcard in {field}: names are compared letter by letter, and nothing is called so",
        f"leave {field} away to match all, or write the names out",
    )


def of_user(user: str) -> Doubt | None:
    """This will say why a name under `users` cannot be, or is hardly, a user's."""
    if "*" in user:
        return _wildcard("users")
    if not user:
        return _dead(
            "empty-name", "no request has an empty user: one answered 401 has none at all", "remove it"
        )
    if user in known.GROUPS or user.startswith("system:serviceaccounts:"):
        return _dead(
            "group-as-user", "this is the name of a group, and no user is called so", "move it to userGroups"
        )
    if user.startswith(_ACCOUNT) and user.count(":") != 3:
        return _dead(
            "service-account-spelling",
            "a service account has a namespace and a name",
            f"write {_ACCOUNT}NAMESPACE:NAME",
        )
    if re.match(r"(serviceaccount|sa):", user) or (
        re.match(r"[a-z0-9-]+:[a-z0-9-]+\Z", user) and not user.startswith("system:")
    ):
        tail = ":".join(user.split(":")[-2:])
        return _unlikely(
            "service-account-spelling",
            "this looks like half the name of a service account",
            f"did you mean {_ACCOUNT}{tail}?",
        )
    agent = next(
        (
            agent
            for agent in known.USER_AGENTS
            if user.lower() == agent or user.lower().startswith(f"{agent}/")
        ),
        None,
    )
    if agent is not None:
        remedy = (
            "probes come as system:anonymous"
            if agent == "kube-probe"
            else "name the user behind it; policies cannot see user agents"
        )
        return _unlikely("user-agent-as-user", f"{agent} is a User-Agent, not a user", remedy)
    if f"system:{user}" in known.USERS:
        return _unlikely(
            "system-prefix-missing",
            "Kubernetes' own users begin with system:",
            f"did you mean system:{user}?",
        )
    near = known.close(user, known.USERS) if user.startswith("system:") and user not in known.USERS else None
    return (
        _unlikely("misspelt-user", "Kubernetes has no such user of its own", f"did you mean {near}?")
        if near
        else None
    )


def of_group(group: str) -> Doubt | None:
    """This will say why a name under `userGroups` cannot be, or is hardly, a group's."""
    if "*" in group:
        return _wildcard("userGroups")
    if not group:
        return _dead("empty-name", "nobody is in a group without a name", "remove it")
    if group.startswith((_ACCOUNT, "system:node:")) or group in known.USERS:
        return _dead(
            "user-as-group", "this is the name of a user, and no group is called so", "move it to users"
        )
    if "@" in group:
        return _unlikely("user-as-group", "this looks like a user's name", "move it to users if it is one")
    near = known.close(group, known.GROUPS)
    if (
        near
        and group not in known.GROUPS
        and group.startswith("system:")
        and not group.startswith(known.GROUP_PREFIXES)
    ):
        return _unlikely("misspelt-group", "Kubernetes has no such group of its own", f"did you mean {near}?")
    return None


def of_verb(verb: str, rule: Rule) -> Doubt | None:
    """This will say why a verb can be none of a request that the rule could match."""
    for_urls, for_resources = bool(rule.non_resource_urls), bool(rule.resources or rule.namespaces)
    if verb == "*":
        return _wildcard("verbs")
    lower = verb.lower()
    resource_verb = known.HTTP_TO_VERB.get(lower, lower)
    if verb != lower:
        mean = lower if for_urls else resource_verb
        return _dead(
            "uppercase-verb", "verbs are lower case and compared letter by letter", f"did you mean {mean}?"
        )
    if verb in known.VIRTUAL_VERBS:
        remedy = (
            "exec is get or create on pods/exec"
            if verb in {"exec", "connect"}
            else "see the verbs of requests: " + ", ".join(known.RESOURCE_VERBS)
        )
        return _dead("virtual-verb", "no request has this verb: it is a word of RBAC or of speech", remedy)
    if verb in known.RESOURCE_VERBS or not verb:
        only_resources = verb in {"list", "watch", "create", "update", "deletecollection"}
        if for_urls and only_resources:
            return _dead(
                "resource-verb-on-url",
                "the verb of a non-resource request is its method in lower case",
                f"write one of {', '.join(known.PATH_VERBS)}",
            )
        return None
    if verb in known.PATH_VERBS or verb in {"connect", "trace"}:
        if for_resources:
            return _dead(
                "http-verb",
                "methods are verbs of non-resource requests only",
                f"did you mean {resource_verb}?",
            )
        return None
    near = known.close(verb, (*known.RESOURCE_VERBS, *known.PATH_VERBS))
    return _dead(
        "unknown-verb",
        "no request has this verb",
        f"did you mean {near}?" if near else "see the API reference",
    )


def of_namespace(namespace: str) -> Doubt | None:
    """This will say why a namespace cannot be, or is hardly, one."""
    if "*" in namespace:
        return _wildcard("namespaces")
    if namespace and not _NAMESPACE.match(namespace):
        return _dead(
            "impossible-namespace", "no namespace can have this name", f"did you mean {namespace.lower()}?"
        )
    near = known.close(namespace, ("kube-system", "kube-public", "kube-node-lease", "default"))
    if near and near != namespace and namespace and abs(len(near) - len(namespace)) <= 2:
        return _unlikely("misspelt-namespace", f"this is nearly {near}", f"did you mean {near}?")
    return None


def of_object_name(name: str) -> Doubt | None:
    """This will say why an object cannot be called so."""
    return _wildcard("resourceNames") if "*" in name else None


def of_url(url: str) -> Doubt | None:
    """This will say why a path of `nonResourceURLs` can be no request's, or is hardly what was meant."""
    path = url.removesuffix("*")
    if "?" in url or "#" in url:
        return _dead(
            "url-with-query",
            "the path is compared without the query",
            f"write {url.partition('?')[0].partition('#')[0]}",
        )
    if "%" in url:
        return _dead(
            "url-encoded", "the path is decoded before it is compared", "write the letters themselves"
        )
    if path and route("GET", path).is_resource:
        return _dead(
            "url-of-a-resource",
            "requests for resources never match nonResourceURLs",
            "name it under resources",
        )
    if len(url) > 1 and url.endswith("/"):
        return _unlikely(
            "url-trailing-slash",
            "only the path with the slash matches",
            f"write {url.rstrip('/')}, and {url}* for what is below",
        )
    return None


def of_api_group(group: str) -> Doubt | None:
    """This will say why no resource is in this group."""
    if group in {"core", "v1"}:
        return _dead("no-such-group", "the core group has the empty name", 'write group: ""')
    if group in known.groups() or group == "*" or not group:
        return None
    near = next(
        (full for full in sorted(known.groups()) if full.startswith(f"{group}.")), None
    ) or known.close(group, known.groups())
    if near:
        severity = Severity.WARNING if "." in group else Severity.ERROR
        return Doubt(
            "no-such-group",
            severity,
            "Kubernetes serves no such group",
            f"did you mean {near}?",
            dead="." not in group,
        )
    if "." not in group:
        return _unlikely(
            "no-such-group",
            "Kubernetes serves no such group, and groups of extensions have a dot",
            "look it up in `kubectl api-resources`",
        )
    return None


def of_resource(given: str, entry: GroupResources) -> Doubt | None:
    """This will say why an item of `resources` names nothing in the entry's group."""
    if given == "*":
        return None
    form = _of_form(given)
    if form is not None:
        return form
    base, _, sub = given.partition("/")
    if base == "*":
        return None
    rows = known.find(base)
    here = next((row for row in rows if entry.group in {"*", row.group}), None)
    if here is not None:
        return _of_subresource(base, sub, here)
    return _of_place(base, sub, entry, rows)


def _of_form(given: str) -> Doubt | None:
    odd = "the only wildcards are `*`, `RESOURCE/*` and `*/SUBRESOURCE`"
    base, slash, sub = given.partition("/")
    if not given:
        return _dead(
            "odd-resource",
            "no resource has an empty name",
            "remove it; an entry without resources means the whole group",
        )
    if given == "*/*" or "*" in given.removeprefix("*/").removesuffix("/*"):
        return _dead(
            "odd-wildcard",
            odd,
            "write `*` for everything, subresources too" if given == "*/*" else "write the names out",
        )
    if slash and (not base or not sub):
        remedy = f"write {base}" if base else f"write */{sub}"
        return _dead("odd-resource", "a slash stands only between resource and subresource", remedy)
    if sub.count("/") or base in known.groups() - {""} or base == "v1":
        group = base if base in known.groups() else '""'
        why = "the group is a field of its own, and only a subresource follows a slash"
        return _dead("group-in-resource", why, f"write group: {group} and resources: [{sub.split('/')[-1]}]")
    if "." in base:
        name, _, group = base.partition(".")
        return _dead(
            "group-in-resource",
            "the group is a field of its own",
            f"write group: {group} and resources: [{name}]",
        )
    return None


def _of_subresource(base: str, sub: str, row: known.Served) -> Doubt | None:
    if not sub or sub == "*" or sub in row.subresources:
        return None
    near = known.close(sub, row.subresources)
    known_ones = ", ".join(row.subresources) or "none"
    return _dead(
        "unknown-subresource",
        f"{base} has no subresource {sub}",
        f"did you mean {base}/{near}?" if near else f"it has {known_ones}",
    )


def _of_place(base: str, sub: str, entry: GroupResources, rows: tuple[known.Served, ...]) -> Doubt | None:
    if rows and entry.group in known.groups():
        group = f'"{rows[0].group}"' if not rows[0].group else rows[0].group
        return _dead("wrong-group", f"{base} are not in the group {entry.group!r}", f"write group: {group}")
    row = known.meant(base)
    if (
        row is not None
        and (entry.group in {"*", row.group} or entry.group in known.groups())
        and base != row.name
    ):
        name = f"{row.name}/{sub}" if sub else row.name
        group = "" if entry.group in {"*", row.group} else f" in group {row.group}"
        return _dead(
            "not-a-resource-name",
            "resources are named in the lower-case plural of the URL",
            f"did you mean {name}{group}?",
        )
    if entry.group not in known.groups():
        return None
    near = known.close(base, [row.name for row in known.served() if row.group == entry.group])
    remedy = f"did you mean {near}?" if near else "look it up in `kubectl api-resources`"
    return _unlikely("unknown-resource", f"Kubernetes serves no {base} in the group {entry.group!r}", remedy)
