"""Whether one rule takes every request another could match: set inclusion, criterion by criterion.

It errs on one side only: what it calls covered is covered; a cover made of several rules together is not seen.
"""

from __future__ import annotations

from anomaly.policy.document import GroupResources, Rule

_EVERYBODY = frozenset({"system:authenticated", "system:unauthenticated"})


def covers(earlier: Rule, later: Rule) -> bool:
    """This will tell whether the earlier rule matches whenever the later one does."""
    if not _covers_who(earlier, later):
        return False
    if earlier.verbs and not (later.verbs and set(later.verbs) <= set(earlier.verbs)):
        return False
    if earlier.non_resource_urls:
        return bool(later.non_resource_urls) and all(
            any(_covers_url(wide, url) for wide in earlier.non_resource_urls)
            for url in later.non_resource_urls
        )
    if not (earlier.namespaces or earlier.resources):
        return True
    if not (later.namespaces or later.resources):
        return False
    if earlier.namespaces and not (later.namespaces and set(later.namespaces) <= set(earlier.namespaces)):
        return False
    return not earlier.resources or (
        bool(later.resources) and all(_covers_entry(earlier.resources, entry) for entry in later.resources)
    )


def _covers_who(earlier: Rule, later: Rule) -> bool:
    if earlier.users and not (later.users and set(later.users) <= set(earlier.users)):
        return False
    if not earlier.user_groups:
        return True
    wide = set(earlier.user_groups)
    if later.user_groups and set(later.user_groups) <= wide:
        return True
    if (later.users or later.user_groups) and wide >= _EVERYBODY:
        return True
    return bool(later.users) and all(_groups_of(user) & wide for user in later.users)


def _groups_of(user: str) -> set[str]:
    """The groups the server itself puts a user into."""
    if user.startswith("system:serviceaccount:") and user.count(":") == 3:
        namespace = user.split(":")[2]
        return {"system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"}
    return {"system:unauthenticated"} if user == "system:anonymous" else set()


def _covers_url(wide: str, url: str) -> bool:
    if wide in {"*", url}:
        return True
    return wide.endswith("*") and url != "*" and url.rstrip("*").startswith(wide.rstrip("*"))


def _covers_entry(wide: tuple[GroupResources, ...], entry: GroupResources) -> bool:
    """Each item of the entry must be covered by one and the same wide entry, names included."""
    return all(any(_covers_item(one, entry, item) for one in wide) for item in entry.resources or ("*",))


def _covers_item(wide: GroupResources, entry: GroupResources, item: str) -> bool:
    if wide.group not in {"*", entry.group}:
        return False
    if wide.resource_names and not (
        entry.resource_names and set(entry.resource_names) <= set(wide.resource_names)
    ):
        return False
    return not wide.resources or any(_covers_name(one, item) for one in wide.resources)


def _covers_name(wide: str, item: str) -> bool:
    if wide in {"*", item}:
        return True
    if wide.startswith("*/") and wide != "*/*":
        return item.partition("/")[2] == wide[2:]
    return wide.endswith("/*") and item.partition("/")[0] == wide[:-2]
