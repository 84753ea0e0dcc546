"""A policy is weighed before it is set: how much it would have dropped, and who goes blind by it."""

from anomaly.events.decode import decode_lines
from anomaly.policy.families import families
from anomaly.policy.need import of_rules
from anomaly.policy.parse import read
from anomaly.rules import pack
from anomaly.rules.needs import needs
from anomaly.testing import raw_event
from anomaly.weighing import weigh
from tests.anomaly.test_door import POLICY, mixed

WANTED = [*of_rules(needs(pack())), *families()]
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"
EVERYTHING = HEAD + "rules: [{level: RequestResponse}]\n"


def weighed(text, *raws):
    decoded = decode_lines(b"\n".join(raws))
    policy = read(text.encode(), "p").policy
    return weigh(policy, zip(decoded.events, decoded.raws, strict=True), WANTED)


def test_it_says_how_much_would_have_been_dropped_and_lowered():
    raws = mixed(0, 10)
    found = weighed(POLICY, *raws)
    assert (found.events, found.dropped, found.lowered) == (30, 10, 10)
    assert found.bytes_before == sum(map(len, raws)) > found.bytes_after
    assert {(one.rule, one.action, one.events) for one in found.entries} == {
        (1, "create events", 5),
        (2, "create secrets", 10),
    }


def test_a_policy_that_keeps_all_blinds_nobody():
    found = weighed(EVERYTHING, *mixed(0, 10), raw_event("pods/exec", "create", name="web-0"))
    assert found.blind == () and found.dropped == found.lowered == 0


def test_who_looks_at_what_is_dropped_goes_blind():
    text = EVERYTHING.replace(
        "[{level", '[{level: None, resources: [{group: "", resources: [pods/exec]}]}, {level'
    )
    blind = {
        one.owner: one
        for one in weighed(
            text, raw_event("pods/exec", "create", name="web-0"), raw_event("pods", "get", at=1)
        ).blind
    }
    shells = [name for name in blind if "exec" in name]
    assert shells and all(blind[name].sees in {"blind", "part"} for name in shells)
    assert "is dropped" in {one.why for one in blind.values()}.__str__()
    # Of requests that did not come, the policy alone is asked; this one writes all other requests.
    assert not [name for name in blind if "clusterrolebinding" in name]


def test_without_events_the_policy_alone_is_asked():
    found = weighed(HEAD + "rules: [{level: Metadata}]")
    assert found.events == 0 and found.blind
    assert all("of what may come" in one.why for one in found.blind)
