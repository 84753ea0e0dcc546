"""Whether a finding names what really happened: its ATT&CK techniques against those of the label.

Right is a finding that carries the label's technique, its parent or a sibling of the same parent; or whose name stands for a deed
by which the technique is carried out on a Kubernetes API, by the table below. The table speaks of techniques, never of scenarios,
and is the same for every log. Source of the techniques: MITRE ATT&CK, matrix for containers, https://attack.mitre.org.
"""

from __future__ import annotations

from typing import Final

from anomaly.findings.finding import Finding, FindingKind

_CREDENTIAL_USE: Final = "credential_moved new_address node_out_of_scope impersonation token_minted"
_LOOKING: Final = "cluster_mapped permission_checked denied_probe anonymous_probe"
_WORKLOADS: Final = "workload_deployed workload_privileged workload_sensitive_mount"
_DESTROYING: Final = "mass_deletion objects_deleted namespace_deleted"
_RIGHTS: Final = (
    "role_created role_binding_created account_created secret_changed certificate_requested token_minted"
)

_BY_TECHNIQUE: Final = {
    "T1021": "exec_in_pod port_forward proxy_used",
    "T1036": "origin_disguised new_address",
    "T1046": _LOOKING,
    "T1048": "port_forward proxy_used exec_in_pod",
    "T1053": _WORKLOADS,
    "T1059": "exec_in_pod",
    "T1068": _WORKLOADS,
    "T1069": _LOOKING,
    "T1070": "traces_removed mass_deletion objects_deleted",
    "T1071": "port_forward proxy_used exec_in_pod",
    "T1078": _CREDENTIAL_USE,
    "T1083": _LOOKING,
    "T1087": _LOOKING,
    "T1090": "port_forward proxy_used",
    "T1098": _RIGHTS,
    "T1105": "exec_in_pod workload_deployed",
    "T1110": "anonymous_probe denied_probe unusual_errors",
    "T1133": "anonymous_probe new_address credential_moved",
    "T1134": "impersonation token_minted",
    "T1136": _RIGHTS,
    "T1190": "anonymous_probe denied_probe unusual_errors proxy_used",
    "T1204": _WORKLOADS,
    "T1485": _DESTROYING,
    "T1489": _DESTROYING + " config_changed",
    "T1490": _DESTROYING,
    "T1496": _WORKLOADS + " unusual_volume",
    "T1498": "unusual_volume unusual_errors",
    "T1499": "unusual_volume unusual_errors workload_deployed",
    "T1518": _LOOKING,
    "T1525": "workload_deployed",
    "T1526": _LOOKING,
    "T1528": "token_minted secrets_accessed secrets_enumerated",
    "T1530": "secrets_accessed secrets_enumerated",
    "T1543": _WORKLOADS,
    "T1546": "webhook_changed extension_changed workload_deployed",
    "T1548": "role_binding_created role_created impersonation workload_privileged",
    "T1550": "token_minted credential_moved impersonation",
    "T1552": "secrets_accessed secrets_enumerated token_minted",
    "T1555": "secrets_accessed secrets_enumerated",
    "T1556": "webhook_changed certificate_requested",
    "T1557": "dns_tampered config_changed webhook_changed",
    "T1562": "webhook_changed traces_removed config_changed node_changed",
    "T1565": "config_changed secret_changed dns_tampered",
    "T1572": "port_forward proxy_used",
    "T1578": "node_changed",
    "T1580": _LOOKING,
    "T1595": _LOOKING,
    "T1606": "token_minted certificate_requested",
    "T1609": "exec_in_pod proxy_used",
    "T1610": _WORKLOADS,
    "T1611": _WORKLOADS,
    "T1612": _WORKLOADS,
    "T1613": _LOOKING + " logs_read",
    "T1649": "certificate_requested",
}
"""Which names of deviations stand for a technique beside those that carry it."""


def names_cause(finding: Finding, techniques: tuple[str, ...]) -> bool | None:
    """This will say whether a finding names one of the techniques; None when the label names none."""
    if not techniques:
        return None
    parents = {parent_of(each) for each in techniques}
    if parents & {parent_of(each) for each in finding.attack}:
        return True
    also = [name for name in finding.details.get("also", "").split(", ") if name]
    names = {finding.name, *also} if finding.kind is FindingKind.BEHAVIOUR else set()
    return any(names & set(_BY_TECHNIQUE.get(parent, "").split()) for parent in parents)


def parent_of(technique: str) -> str:
    """This will return the technique without its sub-technique."""
    return technique.partition(".")[0]
