"""The names a deviation can have: a class of action and a kind of deviation, with title, ATT&CK techniques and severity.

The first eight follow the anomaly types that GuardDuty made known for EKS; the others are ours. A name is data: what it looks at
is in `anomaly.scoring.naming`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Name:
    """One name. `severity` is that of an ordinary case (`anomaly.scoring.severity` moves it); `weight` 0 to 100 decides
    between names that fit the same window: the deed that can do most harm names it."""

    name: str
    title: str
    attack: tuple[str, ...]
    severity: str
    weight: float


def _name(name: str, title: str, attack: str, severity: str, weight: float) -> Name:
    return Name(name, title, tuple(attack.split()), severity, weight)


CATALOGUE: Final = {
    each.name: each
    for each in (
        _name("secrets_accessed", "Unusual access to secrets", "T1552.007", "medium", 56),
        _name("role_created", "Unusual change of a role", "T1098.006", "medium", 86),
        _name("role_binding_created", "Unusual change of a role binding", "T1098.006", "medium", 96),
        _name("exec_in_pod", "Unusual command run inside pods", "T1609", "medium", 84),
        _name("workload_deployed", "Unusual workload deployed", "T1610 T1053.007", "low", 66),
        _name("workload_privileged", "Unusual privileged workload", "T1611 T1610", "high", 98),
        _name(
            "workload_sensitive_mount", "Unusual workload with a sensitive mount", "T1611 T1610", "high", 94
        ),
        _name("permission_checked", "Unusual check of permissions", "T1069.003 T1613", "low", 42),
        _name("secrets_enumerated", "Secrets collected", "T1552.007 T1613", "high", 88),
        _name("mass_deletion", "Unusual deletion of many objects", "T1485", "high", 88),
        _name("objects_deleted", "Unusual deletion", "T1485", "low", 52),
        _name("namespace_deleted", "Unusual deletion of a namespace", "T1485", "high", 97),
        _name("traces_removed", "Events deleted", "T1070", "medium", 82),
        _name("denied_probe", "Unusual refused requests", "T1613 T1078", "low", 34),
        _name("anonymous_probe", "Probing without a name", "T1595 T1190", "medium", 80),
        _name("impersonation", "Unusual acting as somebody else", "T1134 T1078", "high", 99),
        _name("token_minted", "Unusual token issued", "T1528 T1550.001", "high", 90),
        _name("certificate_requested", "Unusual certificate request", "T1649 T1098", "high", 90),
        _name("account_created", "Unusual service account written", "T1136", "low", 58),
        _name("port_forward", "Unusual port-forward", "T1572 T1090", "medium", 78),
        _name("proxy_used", "Unusual use of the API server's proxy", "T1090 T1609", "high", 84),
        _name("logs_read", "Unusual reading of logs", "T1005", "low", 36),
        _name("webhook_changed", "Unusual change of admission control", "T1546 T1562", "high", 98),
        _name("extension_changed", "Unusual extension of the API", "T1546", "medium", 76),
        _name("dns_tampered", "Unusual change of cluster DNS", "T1557", "high", 95),
        _name("config_changed", "Unusual change of configuration", "T1565.001", "low", 54),
        _name("secret_changed", "Unusual change of a secret", "T1098 T1565.001", "medium", 57),
        _name("node_changed", "Unusual change of a node", "T1610 T1562", "medium", 56),
        _name("node_out_of_scope", "Node credential used beyond its node", "T1078 T1550", "high", 92),
        _name("credential_moved", "Known credential in new hands", "T1078.004 T1550.001", "high", 62),
        _name("new_address", "Unusual address or tool", "T1078", "low", 40),
        _name("origin_disguised", "Origin disguised", "T1036", "medium", 85),
        _name("cluster_mapped", "Unusual looking around", "T1613", "low", 38),
        _name("off_hours", "Active at an unusual hour", "T1078", "low", 20),
        _name("unusual_errors", "Unusual failures", "T1190", "low", 18),
        _name("unusual_volume", "Unusual volume", "T1499", "low", 14),
        _name("unusual_mix", "Unusual mix of requests", "T1078", "info", 10),
    )
}
"""By name, in the order in which they stand in the documentation."""
