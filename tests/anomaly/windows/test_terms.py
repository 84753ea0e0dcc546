from anomaly.events.decode import decode_lines
from anomaly.testing import raw_event
from anomaly.windows.terms import REFUSED_IMPERSONATION, event_terms, has_body_terms

OLD = 'users "system:admin" is forbidden: User "bob" cannot impersonate resource "users" in API group "" at the cluster scope'
NEW = 'pods is forbidden: User "bob" cannot impersonate-on:user-info:list resource "pods" in API group "" at the cluster scope'
PLAIN = 'pods is forbidden: User "bob" cannot list resource "pods" in API group "" at the cluster scope'


def terms_of(message, code=403, annotations=None):
    status = {"status": "Failure", "message": message, "reason": "Forbidden", "code": code}
    raw = raw_event(
        "pods",
        "list",
        code=code,
        annotations={"authorization.k8s.io/decision": ""} if annotations is None else annotations,
        responseStatus=status,
    )
    decoded = decode_lines(raw)
    return event_terms(decoded.events[0], decoded.shapes[0]), decoded.shapes[0]


def test_a_refused_impersonation_is_told_by_the_message_alone():
    for message in (OLD, NEW):
        terms, shape = terms_of(message)
        assert has_body_terms(shape)
        assert terms == (REFUSED_IMPERSONATION,)


def test_another_refusal_is_no_impersonation():
    assert terms_of(PLAIN)[0] == ()


def test_a_decided_refusal_is_never_looked_into():
    decided = {"authorization.k8s.io/decision": "forbid"}

    terms, shape = terms_of(NEW, annotations=decided)

    assert terms == ()
    assert not has_body_terms(shape)
