"""The demonstration's folder, and the commands it prints."""

import sys

import pytest

from anomaly.cli.demo import _settings, _started_as, _write_config
from anomaly.settings import Settings


def test_the_demonstration_lives_beside_the_real_data(tmp_path):
    assert _settings(Settings(data_dir=tmp_path)).data_dir == tmp_path / "demo"


def test_its_own_folder_is_used_as_it_is(tmp_path):
    made = _settings(Settings(data_dir=tmp_path))
    made.data_dir.mkdir()
    _write_config(made)

    assert _settings(made).data_dir == made.data_dir


@pytest.mark.parametrize("named", ["real", "demo"])
def test_a_folder_that_only_looks_like_one_is_left_alone(tmp_path, named):
    real = tmp_path / named
    real.mkdir()
    if named == "real":
        (real / "demo.toml").touch()

    assert _settings(Settings(data_dir=real)).data_dir == real / "demo"


def test_commands_begin_as_the_program_was_started(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for given, printed in [
        (".venv/bin/anomaly", ".venv/bin/anomaly"),
        (str(tmp_path / ".venv/bin/anomaly"), ".venv/bin/anomaly"),
        ("a b/anomaly", "'a b/anomaly'"),
    ]:
        monkeypatch.setattr(sys, "argv", [given])
        assert _started_as() == printed
    program = tmp_path / "bin" / "anomaly"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.setattr(sys, "argv", [str(program)])
    assert _started_as() == "anomaly"
