"""What rules see of what arrives."""

import pytest

from anomaly.intake.arriving import Arriving
from anomaly.policy.arriving import views
from anomaly.policy.coverage import Sight
from anomaly.policy.document import Level
from anomaly.policy.need import Need

PODS = Need("bodies", "pods", verbs=("create",), some=Level.REQUEST, whole=Level.REQUEST)
SECRETS = Need("secrets", "secrets", verbs=("get", "list"))


def arriving(verb, resource, level="Metadata", stage="ResponseComplete", events=10):
    return Arriving(verb, resource, level, stage, events)


def seen(need, *found):
    (view,) = views([need], found)
    return view.sight


MANY = arriving("update", "configmaps", events=5_000)
MANY_READS = arriving("get", "nodes", "RequestResponse", events=5_000)


@pytest.mark.parametrize(
    ("need", "found", "sight"),
    [
        pytest.param(PODS, [arriving("create", "pods", "Request")], Sight.ALL, id="all of it"),
        pytest.param(PODS, [arriving("create", "pods")], Sight.BLIND, id="the body is missing"),
        pytest.param(
            PODS, [arriving("create", "pods"), arriving("create", "pods", "Request")], Sight.ALL, id="by some"
        ),
        pytest.param(PODS, [arriving("create", "pods/exec", "Request")], None, id="another subresource"),
        pytest.param(PODS, [arriving("create", "metrics.k8s.io/pods", "Request")], None, id="another group"),
        pytest.param(PODS, [MANY], Sight.BLIND, id="nothing arrives with bodies"),
        pytest.param(PODS, [arriving("update", "configmaps")], None, id="too little arrived to tell"),
        pytest.param(PODS, [MANY_READS], None, id="bodies arrive, these may never have been made"),
        pytest.param(SECRETS, [MANY], Sight.BLIND, id="no reads arrive"),
        pytest.param(SECRETS, [MANY_READS], None, id="reads arrive, of something else"),
        pytest.param(SECRETS, [arriving("get", "secrets", stage="RequestReceived")], Sight.BLIND, id="stage"),
        pytest.param(
            SECRETS, [arriving("get", "secrets", level="", stage="")], Sight.ALL, id="a cloud without levels"
        ),
    ],
)
def test_one_need(need, found, sight):
    assert seen(need, *found) is sight


def test_a_rule_that_asks_for_absence_fires_on_everything_where_bodies_are_missing():
    need = Need(
        "absent", "pods", verbs=("create",), whole=Level.REQUEST, blind_at=frozenset({Level.METADATA})
    )
    assert seen(need, arriving("create", "pods")) is Sight.ALWAYS
    assert seen(need, arriving("create", "pods", "Request")) is Sight.ALL


def test_an_owner_with_one_eye_sees_a_part():
    needs = [PODS, Need("bodies", "secrets", verbs=("get",))]
    (view,) = views(needs, [arriving("create", "pods"), arriving("get", "secrets")])
    assert view.sight is Sight.PART and "Request is needed" in view.why


def test_a_need_of_everything_is_met_by_anything():
    assert seen(Need("volume", "*", "*"), arriving("get", "apps/deployments")) is Sight.ALL
    assert seen(Need("volume", "*", "*"), arriving("get", "pods/log")) is Sight.ALL
