"""The root command: help, version, mistakes, interrupts, readers that go away."""

import json
import os
import subprocess
import sys

import pytest

from anomaly import bootstrap
from anomaly.cli.app import build, main
from anomaly.errors import AnomalyError


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr()
    return ended.value.code, said.out, said.err


def start(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], []])
def test_help_lists_the_commands_that_are_there(capsys, arguments):
    code, out, err = run(capsys, *arguments)

    assert (code, err) == (0, "")
    assert all(name in out for name in ("db", "settings", "completion", "--config", "--debug", "--quiet"))


def test_every_command_has_help(capsys):
    names = [name for name in build().resolved_commands() if not name.startswith("-")]

    assert {"db", "settings"} <= set(names)
    for name in names:
        code, out, _ = run(capsys, name, "--help")
        assert (code, name in out) == (0, True)


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom anomaly.cli.app import build\nbuild().help_print([])\n"
        "heavy = ('sqlalchemy', 'psycopg', 'pydantic', 'alembic', 'sklearn', 'pandas', 'fastapi', 'numpy', 'sigma')\n"
        "assert not [name for name in heavy if name in sys.modules], [n for n in heavy if n in sys.modules]"
    )
    process = start(code)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 0, err


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        pytest.param(["setings"], '"settings"', id="command"),
        pytest.param(["db", "stats"], '"status"', id="subcommand"),
        pytest.param(["db", "status", "--outputt", "json"], "--output", id="option"),
        pytest.param(["db", "status", "--output", "yaml"], "json", id="choice"),
    ],
)
def test_a_mistake_ends_with_2_and_a_suggestion(capsys, arguments, hint):
    code, out, err = run(capsys, *arguments)

    assert (code, out) == (2, "")
    assert hint in err
    assert "Traceback" not in err


def test_debug_shows_the_trace(capsys):
    code, _, err = run(capsys, "--debug", "db", "stats")

    assert code == 2
    assert "Traceback" in err


def test_a_configuration_that_is_not_there_is_named(capsys, tmp_path):
    code, _, err = run(capsys, "settings", "--config", str(tmp_path / "none.toml"))

    assert code == 2
    assert "none.toml does not exist" in err


def test_settings_tell_their_origin_and_hide_secrets(capsys, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[database]\nurl = 'postgresql://ann:secret@h/x'\n[windows]\nspan = '30m'\n")
    code, out, _ = run(capsys, "--config", str(file), "settings", "--changed", "--output", "json")

    assert code == 0
    assert json.loads(out) == [
        {"name": "database.url", "value": "postgresql://ann:***@h/x", "origin": str(file)},
        {"name": "windows.span", "value": "30m", "origin": str(file)},
    ]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_commands(capsys, shell):
    code, out, _ = run(capsys, "completion", shell)

    assert code == 0
    assert "upgrade" in out


def test_an_interrupt_ends_quietly_with_130():
    code = (
        "import anomaly.cli.failure as f, os, signal, sys\n"
        "sys.exit(f.guarded(lambda: os.kill(os.getpid(), signal.SIGINT) or __import__('time').sleep(60) or 0))"
    )
    process = start(code)
    out, err = process.communicate(timeout=60)

    assert (process.returncode, out, err) == (130, "", "")


def test_a_reader_that_goes_away_is_no_failure():
    code = "from anomaly.cli.failure import guarded\nimport sys\nsys.exit(guarded(lambda: print('x' * 10**7) or 0))"
    process = start(code)
    process.stdout.read(10)
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()

    assert (process.wait(timeout=60), err) == (141, "")


def test_packages_of_another_program_are_not_taken_for_ours(tmp_path, monkeypatch):
    bootstrap.check_installation()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "models", raising=False)
    with pytest.raises(AnomalyError, match="'models' is taken from") as raised:
        bootstrap.check_installation()

    assert "python -P" in raised.value.hint
