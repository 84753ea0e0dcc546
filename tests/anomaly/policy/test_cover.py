from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly.policy.cover import covers
from anomaly.policy.document import GroupResources, Rule
from anomaly.policy.match import matches
from anomaly.policy.request import Request

USERS = ("alice", "system:serviceaccount:ci:bot", "system:anonymous")
GROUPS = ("dev", "system:authenticated", "system:unauthenticated", "system:serviceaccounts")
ITEMS = ("pods", "pods/exec", "pods/*", "*", "*/exec", "secrets")
URLS = ("/a", "/a*", "/a/b", "*")


def some(values, most=2):
    return st.lists(st.sampled_from(values), max_size=most, unique=True).map(tuple)


ENTRIES = st.lists(
    st.builds(
        GroupResources,
        st.sampled_from(["", "apps", "*"]),
        some(ITEMS),
        st.sampled_from([(), ("web",), ("", "web")]),
    ),
    max_size=2,
).map(tuple)
OF_RESOURCES = st.builds(
    Rule, st.just("None"), some(USERS), some(GROUPS), some(("get", "list")), ENTRIES, some(("shop", ""))
)
OF_URLS = st.builds(
    Rule, st.just("None"), some(USERS), some(GROUPS), some(("get", "list")), non_resource_urls=some(URLS)
)
RULES = OF_RESOURCES | OF_URLS


def groups_of(user):
    if user == "system:anonymous":
        return ("system:unauthenticated",)
    accounts = ("system:serviceaccounts", "system:serviceaccounts:ci") if user.count(":") == 3 else ()
    return (*accounts, "system:authenticated")


@st.composite
def requests(draw):
    user = draw(st.sampled_from((*USERS, None)))
    groups = () if user is None else (*groups_of(user), *draw(some(("dev",))))
    verb = draw(st.sampled_from(["get", "list", "create"]))
    if draw(st.booleans()):
        return Request(user, groups, verb, False, path=draw(st.sampled_from(["/a", "/a/b", "/b"])))
    resource, _, sub = draw(st.sampled_from(["pods", "pods/exec", "secrets", "pods/log"])).partition("/")
    group = draw(st.sampled_from(["", "apps"]))
    name, namespace = draw(st.sampled_from(["", "web", "db"])), draw(st.sampled_from(["", "shop", "ci"]))
    return Request(user, groups, verb, True, group, "v1", resource, sub, name, namespace)


@settings(max_examples=800, deadline=None)
@given(RULES, RULES, requests())
def test_what_is_called_covered_is_covered(earlier, later, request_):
    if covers(earlier, later) and matches(later, request_):
        assert matches(earlier, request_)


def test_a_rule_covers_itself_and_a_rule_for_all_covers_every_rule():
    rule = Rule("None", ("alice",), ("dev",), ("get",), (GroupResources("", ("pods",), ("web",)),), ("shop",))

    assert covers(rule, rule)
    assert covers(Rule("None"), rule)
    assert not covers(rule, Rule("None"))
