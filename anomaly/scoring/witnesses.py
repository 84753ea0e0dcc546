"""What speaks for each name: for every name a function from the window's sight to the terms that would justify it.

To add a name, add its line to the catalogue and its witness here; a test holds that each has the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from anomaly.events.identity import EntityKind
from anomaly.features.actions import DELETES, ActionClass, split
from anomaly.features.families.origins import scripting
from anomaly.features.families.privileges import powerful
from anomaly.features.families.workloads import takes_node
from anomaly.scoring.sight import USUAL, Sight, Term
from anomaly.windows.dimension import Dimension
from anomaly.windows.terms import REFUSED_IMPERSONATION

MANY: Final = 5
"""From five different secrets, deletions or refusals on it is collecting, clearing out, probing."""


@dataclass(frozen=True, slots=True)
class Testimony:
    """The terms, how strongly they count beside their unusualness (`force` 0 to 1), points added to the weight, and the
    features whose part in the score belongs to this name."""

    terms: tuple[Term, ...] = ()
    force: float = 0.0
    bonus: float = 0.0
    features: tuple[str, ...] = ()
    tried_counts: bool = False
    """True where being refused takes nothing away."""


NOTHING: Final = Testimony()
Witness = Callable[[Sight], Testimony]


def _deed(*classes: ActionClass, features: tuple[str, ...] = (), also: tuple[Dimension, ...] = ()) -> Witness:
    def witness(sight: Sight) -> Testimony:
        actions = sight.of_classes(*classes)
        if not actions:
            return NOTHING
        return Testimony(
            (*actions, *(term for dimension in also for term in sight.of(dimension))), 0.0, 0.0, features
        )

    return witness


def _write_deed(*classes: ActionClass, features: tuple[str, ...] = ()) -> Witness:
    """As `_deed`, but reads of the same things do not count."""

    def witness(sight: Sight) -> Testimony:
        actions = tuple(
            term for term in sight.of_classes(*classes) if split(term.text)[0] not in {"get", "list", "watch"}
        )
        return Testimony(actions, 0.0, 0.0, features) if actions else NOTHING

    return witness


def secrets_enumerated(sight: Sight) -> Testimony:
    secrets = sight.of(Dimension.SECRET)
    places = sight.of(Dimension.TARGET, lambda target: target.startswith("secrets @"))
    unusual = [term for term in (*secrets, *places) if term.most >= USUAL]
    if max(len(secrets), len(places)) < MANY or not unusual:
        return NOTHING
    return Testimony(
        (*sight.of_classes(ActionClass.SECRET_READ), *secrets, *places),
        0.0,
        6.0,
        ("secrets.", "novelty.secrets"),
    )


def secrets_accessed(sight: Sight) -> Testimony:
    actions = sight.of_classes(ActionClass.SECRET_READ)
    if not actions:
        return NOTHING
    places = sight.of(Dimension.TARGET, lambda target: target.startswith("secrets @"))
    return Testimony(
        (*actions, *sight.of(Dimension.SECRET), *places), 0.0, 0.0, ("secrets.", "novelty.secrets")
    )


def workload_privileged(sight: Sight) -> Testimony:
    risks = sight.of(Dimension.RISK, lambda risk: takes_node(risk) and "ostPath" not in risk)
    return Testimony(
        (*risks, *sight.of_classes(ActionClass.WORKLOAD_WRITE)) if risks else (),
        0.0,
        0.0,
        ("workloads.node_taking", "workloads.risks", "novelty.powers"),
    )


def workload_sensitive_mount(sight: Sight) -> Testimony:
    risks = sight.of(Dimension.RISK, lambda risk: risk == "sensitive-hostPath")
    return Testimony(
        (*risks, *sight.of_classes(ActionClass.WORKLOAD_WRITE)) if risks else (),
        0.0,
        0.0,
        ("workloads.node_taking", "workloads.risks", "novelty.powers"),
    )


def role_binding_created(sight: Sight) -> Testimony:
    actions = tuple(
        term
        for term in sight.of_classes(ActionClass.BINDING_WRITE)
        if split(term.text)[0] not in {"get", "list", "watch"}
    )
    if not actions:
        return NOTHING
    grants = sight.of(Dimension.GRANT, powerful)
    return Testimony(
        (*actions, *grants), 0.0, 4.0 if grants else 0.0, ("privileges.bindings", "novelty.powers")
    )


def permission_checked(sight: Sight) -> Testimony:
    actions = sight.of_classes(ActionClass.PERMISSION_CHECK)
    if not actions:
        return NOTHING
    checked = sight.of(Dimension.CHECKED)
    asked = max(len(checked), sum(term.count for term in actions))
    carried = sight.share("discovery.checks", "discovery.permissions")
    return Testimony(
        (*actions, *checked),
        1.0 if asked >= 4 * MANY and carried > 0.05 else 0.0,
        min(40.0, asked),
        ("discovery.checks", "discovery.permissions"),
    )


def mass_deletion(sight: Sight) -> Testimony:
    tried = sight.of(Dimension.ACTION, lambda action: split(action)[0] in DELETES)
    whole = any(split(term.text)[0] == "deletecollection" for term in tried)
    if sum(term.count for term in tried) < MANY and not whole:
        return NOTHING
    carried = sight.share("deletion.")
    return Testimony(
        (*tried, *sight.of(Dimension.DELETED)), 1.0 if carried > 0.15 else 0.0, 0.0, ("deletion.",), whole
    )


def denied_probe(sight: Sight) -> Testimony:
    denied = sight.of(Dimension.DENIED)
    if not denied:
        return NOTHING
    different = len(denied)
    carried = sight.share("denials.denied", "novelty.refusals", "denials.unauthenticated")
    return Testimony(
        denied,
        1.0 if carried > 0.2 else 0.0,
        min(18.0, 3.0 * different),
        ("denials.", "novelty.refusals"),
        True,
    )


def anonymous_probe(sight: Sight) -> Testimony:
    if sight.kind is not EntityKind.ANONYMOUS:
        return NOTHING
    return Testimony((*sight.of(Dimension.ACTION), *sight.of(Dimension.DENIED)), 0.0, 20.0, (), True)


def impersonation(sight: Sight) -> Testimony:
    tried = sight.of(Dimension.DENIED, lambda action: action == REFUSED_IMPERSONATION[1])
    acted = (*sight.of(Dimension.IMPERSONATED), *tried)
    return Testimony(acted, 0.0, 0.0, ("privileges.impersonations", "privileges.acted", "novelty.identities"))


def dns_tampered(sight: Sight) -> Testimony:
    names = sight.of(
        Dimension.NAME, lambda name: name.startswith("configmaps ") and "dns" in name.rpartition("/")[2]
    )
    actions = sight.of_classes(ActionClass.CONFIG_WRITE)
    written = tuple(term for term in actions if split(term.text)[1] == "configmaps")
    if not names or not written:
        return NOTHING
    places = sight.of(Dimension.TARGET, lambda target: target == "configmaps @kube-system")
    return Testimony((*written, *places, *names), 0.0, 0.0, ("resources.settings",))


def token_minted(sight: Sight) -> Testimony:
    """For a kubelet tokens of its pods are daily work: only what it is refused speaks."""
    actions = sight.of_classes(ActionClass.TOKEN)
    if sight.kind is EntityKind.NODE:
        refused = {term.text for term in sight.of(Dimension.DENIED)}
        actions = tuple(term for term in actions if term.text in refused)
    if not actions:
        return NOTHING
    return Testimony(actions, 0.0, 0.0, ("privileges.tokens", "credentials.tokens"))


def node_out_of_scope(sight: Sight) -> Testimony:
    if sight.kind is not EntityKind.NODE:
        return NOTHING
    refused = sight.of(Dimension.DENIED)
    elsewhere = tuple(term for term in sight.of(Dimension.ADDRESS) if term.strange >= USUAL)
    # A node that joins does much for the first time; beyond its node is what it is refused, or does from another address.
    if not refused and not elsewhere:
        return NOTHING
    unlike = (*(term for term in sight.of(Dimension.ACTION) if term.most >= USUAL), *elsewhere)
    return Testimony(
        (*unlike, *refused), 0.0, 4.0 if refused and unlike else 0.0, ("denials.", "origins."), True
    )


def credential_moved(sight: Sight) -> Testimony:
    addresses = tuple(term for term in sight.of(Dimension.ADDRESS) if term.strange >= USUAL)
    tools = tuple(term for term in sight.of(Dimension.AGENT) if term.strange >= USUAL)
    handed_on = sight.values.get("credentials.from_a_person", 0.0) > 0
    if sight.kind is EntityKind.ANONYMOUS or not addresses or not (tools or handed_on):
        return NOTHING
    return Testimony(
        (*addresses, *tools),
        0.0,
        14.0 if handed_on else 0.0,
        ("credentials.", "novelty.addresses", "novelty.tools", "rarity.address", "rarity.agent"),
        True,
    )


def new_address(sight: Sight) -> Testimony:
    terms = tuple(
        term for term in (*sight.of(Dimension.ADDRESS), *sight.of(Dimension.AGENT)) if term.strange >= USUAL
    )
    return Testimony(terms, 0.0, 0.0, ("novelty.addresses", "novelty.tools", "rarity.address"), True)


def origin_disguised(sight: Sight) -> Testimony:
    claims = sight.of(Dimension.CLAIMED)
    foreign = sight.of(Dimension.AGENT, _machine) if sight.kind is EntityKind.HUMAN else ()
    overlong = sight.of(Dimension.AGENT, lambda agent: len(agent) > 256)
    if not overlong and not (foreign and claims):
        return NOTHING
    return Testimony((*foreign, *overlong, *claims), 1.0, 0.0, ("origins.",), True)


def _machine(agent: str) -> bool:
    """Agents of the cluster's own parts, which no person has."""
    return agent.startswith(("kubelet", "kube-", "hollow-kubelet")) and not agent.startswith("kube-probe")


def cluster_mapped(sight: Sight) -> Testimony:
    listed = tuple(term for term in sight.of_classes(ActionClass.LIST) if term.most >= USUAL)
    return Testimony(listed, 0.0, min(12.0, 2.0 * len(listed)), ("discovery.", "resources.namespaces"))


def objects_deleted(sight: Sight) -> Testimony:
    tried = sight.of(Dimension.ACTION, lambda action: split(action)[0] in DELETES)
    return Testimony(tried, 0.0, 0.0, ("deletion.",))


def traces_removed(sight: Sight) -> Testimony:
    deleted = sight.of(Dimension.ACTION, lambda action: split(action)[0] in DELETES and "events" in action)
    return Testimony(deleted, 0.0, 0.0, ("deletion.traces",))


def workload_deployed(sight: Sight) -> Testimony:
    actions = sight.of_classes(ActionClass.WORKLOAD_WRITE)
    if not actions:
        return NOTHING
    images = (*sight.of(Dimension.IMAGE), *sight.of(Dimension.REGISTRY))
    tool = any(scripting(term.text) for term in sight.of(Dimension.AGENT) if term.strange >= USUAL)
    return Testimony((*actions, *images), 0.0, 4.0 if tool else 0.0, ("workloads.", "novelty.software"))


def _by_share(least: float, *features: str, dimension: Dimension = Dimension.ACTION) -> Witness:
    """A name that rests on numbers alone: it counts by what its features carry of the score."""

    def witness(sight: Sight) -> Testimony:
        carried = sight.share(*features)
        if carried < least:
            return NOTHING
        largest = sorted(sight.of(dimension), key=lambda term: -term.count)[:3]
        return Testimony(tuple(largest), carried, 0.0, features, True)

    return witness


WITNESSES: Final[dict[str, Witness]] = {
    "secrets_accessed": secrets_accessed,
    "role_created": _write_deed(ActionClass.ROLE_WRITE, features=("privileges.roles",)),
    "role_binding_created": role_binding_created,
    "exec_in_pod": _deed(ActionClass.EXEC, features=("entering.", "novelty.pods"), also=(Dimension.EXEC,)),
    "workload_deployed": workload_deployed,
    "workload_privileged": workload_privileged,
    "workload_sensitive_mount": workload_sensitive_mount,
    "permission_checked": permission_checked,
    "secrets_enumerated": secrets_enumerated,
    "mass_deletion": mass_deletion,
    "objects_deleted": objects_deleted,
    "namespace_deleted": _deed(ActionClass.NAMESPACE_DELETE, features=("deletion.namespaces",)),
    "traces_removed": traces_removed,
    "denied_probe": denied_probe,
    "anonymous_probe": anonymous_probe,
    "impersonation": impersonation,
    "token_minted": token_minted,
    "certificate_requested": _write_deed(ActionClass.CERTIFICATE, features=("privileges.certificates",)),
    "account_created": _write_deed(ActionClass.ACCOUNT_WRITE, features=("privileges.accounts",)),
    "port_forward": _deed(
        ActionClass.PORT_FORWARD, features=("entering.forwards", "novelty.pods"), also=(Dimension.EXEC,)
    ),
    "proxy_used": _deed(ActionClass.PROXY, features=("entering.proxied",), also=(Dimension.EXEC,)),
    "logs_read": _deed(ActionClass.LOGS, features=("entering.logs",)),
    "webhook_changed": _write_deed(ActionClass.ADMISSION_WRITE, features=("resources.cluster_settings",)),
    "extension_changed": _write_deed(ActionClass.EXTENSION_WRITE, features=("resources.cluster_settings",)),
    "dns_tampered": dns_tampered,
    "config_changed": _write_deed(
        ActionClass.CONFIG_WRITE,
        ActionClass.NETWORK_WRITE,
        ActionClass.STORAGE_WRITE,
        features=("resources.settings",),
    ),
    "secret_changed": _write_deed(ActionClass.SECRET_WRITE, features=("secrets.writes",)),
    "node_changed": _write_deed(ActionClass.NODE_WRITE, features=("resources.cluster_settings",)),
    "node_out_of_scope": node_out_of_scope,
    "credential_moved": credential_moved,
    "new_address": new_address,
    "origin_disguised": origin_disguised,
    "cluster_mapped": cluster_mapped,
    "off_hours": _by_share(0.3, "hours."),
    "unusual_errors": _by_share(
        0.3,
        "denials.failed",
        "denials.absent",
        "denials.conflicts",
        "denials.server",
        dimension=Dimension.FAILED,
    ),
    "unusual_volume": _by_share(0.3, "volume.", "verbs.", "rhythm."),
}
"""One for each name of the catalogue but "unusual_mix", which is what remains."""
