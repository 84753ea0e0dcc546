"""`anomaly rules`, as people and CI use it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "public"
GOOD = """title: Pods listed
logsource: {product: kubernetes, service: audit}
detection: {a: {verb: list, resource: pods}, condition: a}
tests:
  firing: [{resource: pods, verb: list}]
  quiet: [{resource: pods, verb: get}]
"""


def rules(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "anomaly", "rules", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def good(tmp_path):
    file = tmp_path / "pods-listed.yml"
    file.write_text(GOOD)
    return file


def test_the_list_names_every_rule_of_the_pack():
    rows = json.loads(rules("list", "--output", "json").stdout)
    assert {"exec-into-pod", "request-refused"} <= {row["id"] for row in rows}
    assert {row["level"] for row in rows} <= {"Metadata", "Request", "RequestResponse"}


def test_one_rule_is_shown_with_all_it_says():
    shown = json.loads(rules("show", "exec-into-pod", "--output", "json").stdout)
    assert shown["description"].startswith("Why it matters")
    assert shown["stages"] == ["ResponseComplete", "ResponseStarted"]


def test_a_rule_that_is_not_there_is_guessed_at():
    result = rules("show", "exec-in-pod")
    assert result.returncode == 1
    assert "did you mean exec-into-pod?" in result.stderr


def test_a_good_rule_passes_the_check(good):
    result = rules("check", good)
    assert (result.returncode, result.stdout) == (0, "")
    assert "1 rule read, 0 errors" in result.stderr


def test_a_wrong_rule_fails_the_check_with_its_place(good):
    good.write_text(GOOD.replace("verb: list,", "verb: lst,"))
    result = rules("check", good)
    assert result.returncode == 1
    assert result.stdout == f"{good}:3:17: verb never is 'lst' (did you mean list?)\n"
    problems = json.loads(rules("check", good, "--output", "json").stdout)
    assert problems["errors"] == 1
    assert problems["problems"][0]["line"] == 3


def test_examples_are_run_and_failures_shown(good):
    assert rules("test", good).returncode == 0
    good.write_text(GOOD.replace("verb: get", "verb: list"))
    result = rules("test", good)
    assert result.returncode == 1
    assert "it fires and should stay quiet" in result.stdout
    assert "2 examples, 1 failed" in result.stderr


def test_the_pack_passes_its_own_examples():
    result = rules("test")
    assert result.returncode == 0
    assert ", 0 failed" in result.stderr


def test_rules_of_others_are_mended_and_kept(tmp_path):
    into = tmp_path / "mine"
    result = rules("import", FOLDER, "--into", into)
    assert result.returncode == 0, result.stdout
    assert "20 of 20 files usable" in result.stderr
    assert len(list(into.glob("*.yml"))) == 20
    assert rules("check", into).returncode == 0
    again = rules("import", FOLDER / "01-hostpath.yml", "--into", into)
    assert "left alone" in again.stderr


def test_rules_are_exported_as_plain_sigma():
    results = json.loads(rules("export", "sigma", "--output", "json").stdout)
    assert all(result["queries"] or result["reason"] for result in results)


def test_schema_and_fields_are_printed():
    assert json.loads(rules("schema").stdout)["properties"]["detection"]
    assert "pod.hostNetwork" in rules("fields").stdout


def test_a_path_that_is_not_there_is_one_sentence():
    result = rules("check", "/nothing/here.yml")
    assert result.returncode == 1
    assert result.stderr.count("\n") <= 2
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("text", ["", "# nothing yet\n"])
@pytest.mark.parametrize("verb", ["import", "check"])
def test_a_file_without_a_rule_is_said_to_hold_none(tmp_path, verb, text):
    file = tmp_path / "empty.yml"
    file.write_text(text)
    result = rules(verb, file)
    assert result.returncode == 1
    assert "holds no rule" in result.stderr


def test_a_pattern_too_large_to_search_for_is_an_error_in_plain_words(tmp_path):
    file = tmp_path / "large.yml"
    for pattern in (r"\\pL{900}", r"(x|y|z){900}\\pL{100}"):
        file.write_text(f'title: t\ndetection: {{a: {{userAgent|re: "{pattern}"}}, condition: a}}\n')
        result = rules("check", file)
        assert result.returncode == 1
        assert "too large" in result.stdout
        assert "1 error, 0 remarks" in result.stderr
        assert "E0000" not in result.stderr
