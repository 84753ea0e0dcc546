import pytest

from anomaly.features.actions import SENSITIVITY, ActionClass, class_of, sensitivity

CASES = [
    ("get secrets", ActionClass.SECRET_READ),
    ("patch secrets", ActionClass.SECRET_WRITE),
    ("get pods/exec", ActionClass.EXEC),
    ("create pods/exec", ActionClass.EXEC),
    ("patch pods/ephemeralcontainers", ActionClass.EXEC),
    ("create pods/portforward", ActionClass.PORT_FORWARD),
    ("get nodes/proxy", ActionClass.PROXY),
    ("create serviceaccounts/token", ActionClass.TOKEN),
    ("create rbac.authorization.k8s.io/clusterrolebindings", ActionClass.BINDING_WRITE),
    ("update rbac.authorization.k8s.io/roles", ActionClass.ROLE_WRITE),
    ("list rbac.authorization.k8s.io/roles", ActionClass.LIST),
    ("create authorization.k8s.io/selfsubjectaccessreviews", ActionClass.PERMISSION_CHECK),
    ("create authorization.k8s.io/subjectaccessreviews", ActionClass.ROUTINE_WRITE),
    ("create apps/deployments", ActionClass.WORKLOAD_WRITE),
    ("patch apps/deployments/scale", ActionClass.OTHER_WRITE),
    ("patch pods/status", ActionClass.ROUTINE_WRITE),
    ("get batch/jobs/status", ActionClass.READ),
    ("delete namespaces", ActionClass.NAMESPACE_DELETE),
    ("deletecollection secrets", ActionClass.DELETE),
    ("create admissionregistration.k8s.io/validatingwebhookconfigurations", ActionClass.ADMISSION_WRITE),
    ("update certificates.k8s.io/certificatesigningrequests/approval", ActionClass.CERTIFICATE),
    ("patch configmaps", ActionClass.CONFIG_WRITE),
    ("create events", ActionClass.ROUTINE_WRITE),
    ("get pods", ActionClass.READ),
    ("watch pods", ActionClass.LIST),
    ("get /livez", ActionClass.PATH),
    ("create example.com/widgets", ActionClass.OTHER_WRITE),
]


@pytest.mark.parametrize(("action", "expected"), CASES, ids=[action for action, _ in CASES])
def test_each_action_has_its_class(action, expected):
    assert class_of(action) is expected


def test_every_class_has_a_sensitivity():
    assert set(SENSITIVITY) == set(ActionClass)
    assert sensitivity("create rbac.authorization.k8s.io/clusterrolebindings") > sensitivity("list pods")
