"""Wiring: which rules are in use."""

import pytest

from anomaly.bootstrap import load_rules
from anomaly.errors import SettingsInvalid
from anomaly.rules import pack
from anomaly.settings import RulesSettings, Settings

RULE = """\
title: Somebody listed nodes
id: 6d2a5f1e-7a53-4f0e-9a44-0f3f5c1d2b11
level: low
logsource: {product: kubernetes, service: audit}
detection:
  selection: {verb: list, objectRef.resource: nodes}
  condition: selection
"""


def test_the_pack_is_in_use_unless_said_otherwise():
    assert load_rules(Settings()) is pack()


def test_folders_add_rules(tmp_path):
    (tmp_path / "nodes-listed.yml").write_text(RULE)
    rules = load_rules(Settings(rules=RulesSettings(folders=(tmp_path,))))
    assert set(rules.by_id) == set(pack().by_id) | {"nodes-listed"}


def test_a_disabled_rule_is_off_with_the_correlations_that_rest_on_it():
    resting = next(one for one in pack().correlations if one.rules)
    rules = load_rules(Settings(rules=RulesSettings(disabled=(resting.rules[0],))))
    assert resting.rules[0] not in rules.by_id
    assert resting.id not in rules.by_id


def test_disabling_what_is_not_there_is_a_mistake_with_a_suggestion():
    with pytest.raises(SettingsInvalid, match="no such rule") as refused:
        load_rules(Settings(rules=RulesSettings(disabled=("exec-into-pods",))))
    assert "exec-into-pod" in str(refused.value.hint)
