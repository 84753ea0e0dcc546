"""Rights and identities: roles, bindings, impersonation, tokens, certificates, service accounts."""

from __future__ import annotations

from anomaly.events.identity import NODE, SERVICE_ACCOUNT
from anomaly.features.actions import ActionClass, class_of
from anomaly.features.masks import Column, count
from anomaly.windows.dimension import Dimension
from anomaly.windows.window import Windows

STRONG_ROLES = frozenset(
    {"role:cluster-admin", "role:admin", "role:edit", "role:system:masters", "role:system:node"}
)
EVERYBODY = (
    "subject:Group/system:anonymous",
    "subject:User/system:anonymous",
    "subject:Group/system:unauthenticated",
    "subject:Group/system:authenticated",
    "subject:Group/system:serviceaccounts",
    "subject:Group/system:masters",
)


def powerful(grant: str) -> bool:
    """This will say whether a GRANT text gives power over the cluster: a strong role, an escalating verb, everybody."""
    return grant in STRONG_ROLES or grant.startswith(("verb:", "resource:")) or grant in EVERYBODY


def _roles(action: str) -> bool:
    return class_of(action) is ActionClass.ROLE_WRITE


def _bindings(action: str) -> bool:
    return class_of(action) is ActionClass.BINDING_WRITE


def _tokens(action: str) -> bool:
    return class_of(action) is ActionClass.TOKEN


def _certificates(action: str) -> bool:
    return class_of(action) is ActionClass.CERTIFICATE


def _accounts(action: str) -> bool:
    return class_of(action) is ActionClass.ACCOUNT_WRITE


def _strong(username: str) -> bool:
    return username.startswith((SERVICE_ACCOUNT + "kube-system:", NODE, "system:")) or "admin" in username


def roles_written(windows: Windows) -> Column:
    """This will return roles and cluster roles created or changed, allowed or not.

    Unit: requests.
    """
    return count(windows, Dimension.ACTION, _roles)


def bindings_written(windows: Windows) -> Column:
    """This will return role bindings created or changed. A binding is how one becomes somebody.

    Unit: requests.
    """
    return count(windows, Dimension.ACTION, _bindings)


def powerful_grants(windows: Windows) -> Column:
    """This will return grants of strong roles, wildcards, escalate, bind or impersonate, and grants to everybody.

    Seen only where the audit level keeps bodies.

    Unit: grants.
    """
    return count(windows, Dimension.GRANT, powerful)


def grants(windows: Windows) -> Column:
    """This will return the different things granted: roles, verbs, resources, subjects.

    Unit: grants.
    """
    return windows.distinct(Dimension.GRANT)


def impersonations(windows: Windows) -> Column:
    """This will return requests made as somebody else. The other's rights are used, one's own name is behind them.

    Unit: requests.
    """
    return windows.count(Dimension.IMPERSONATED)


def acted_as(windows: Windows) -> Column:
    """This will return how many others were acted as. Support acts as one, an intruder tries several.

    Unit: users.
    """
    return windows.distinct(Dimension.IMPERSONATED)


def acted_as_system(windows: Windows) -> Column:
    """This will return requests made as a system identity, a node, a kube-system account or an admin.

    Unit: requests.
    """
    return count(windows, Dimension.IMPERSONATED, _strong)


def tokens_minted(windows: Windows) -> Column:
    """This will return tokens asked for on behalf of service accounts. Kubelets do it all day, people hardly ever.

    Unit: requests.
    """
    return count(windows, Dimension.ACTION, _tokens)


def certificates(windows: Windows) -> Column:
    """This will return certificate signing requests written or approved. A certificate cannot be revoked.

    Unit: requests.
    """
    return count(windows, Dimension.ACTION, _certificates)


def accounts_written(windows: Windows) -> Column:
    """This will return service accounts created or changed: fresh identities with no history.

    Unit: requests.
    """
    return count(windows, Dimension.ACTION, _accounts)
