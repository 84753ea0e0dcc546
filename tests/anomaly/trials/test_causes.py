from dataclasses import replace

import pytest

from anomaly.scoring.catalogue import CATALOGUE
from anomaly.trials.causes import _BY_TECHNIQUE, names_cause
from tests.anomaly.findings.test_merge import piece

FINDING = piece().finding


def named(name, attack=(), also="", kind=FINDING.kind):
    return replace(FINDING, name=name, attack=attack, kind=kind, details={"also": also})


@pytest.mark.parametrize(
    ("finding", "techniques", "expected"),
    [
        (named("x", ("T1552.007",)), ("T1552.007",), True),
        (named("x", ("T1552",)), ("T1552.007",), True),
        (named("x", ("T1552.001",)), ("T1552.007",), True),
        (named("x", ("T1485",)), ("T1552.007",), False),
        (named("secrets_enumerated"), ("T1555",), True),
        (named("unusual_mix", also="exec_in_pod, logs_read"), ("T1059",), True),
        (named("unusual_mix", ("T1078",)), ("T1609",), False),
        (named("x", ("T1609",)), (), None),
    ],
)
def test_a_cause_is_right_by_technique_or_by_the_deed_that_stands_for_it(finding, techniques, expected):
    assert names_cause(finding, techniques) is expected


def test_the_table_names_only_deviations_there_are():
    assert {name for names in _BY_TECHNIQUE.values() for name in names.split()} <= CATALOGUE.keys()
