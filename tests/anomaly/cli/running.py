"""The command on a database of the test's own, in this process: what it returns, prints and says; or in one of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from anomaly.cli import main
from tests.conftest import url_of


@dataclass(frozen=True)
class Done:
    """How one run ended."""

    code: int
    out: str
    err: str

    @property
    def data(self):
        return json.loads(self.out)


class Command:
    """Calls `anomaly ...`; with `json=True` the output format is JSON."""

    def __init__(self, database, folder, monkeypatch, capsysbinary):
        monkeypatch.setenv("ANOMALY_DATABASE__URL", url_of(database))
        monkeypatch.setenv("HOME", str(folder))
        monkeypatch.chdir(folder)
        self._capture = capsysbinary

    def __call__(self, *arguments, json=False):
        with pytest.raises(SystemExit) as ended:
            main([*map(str, arguments), *(("--output", "json") if json else ())])
        said = self._capture.readouterr()
        return Done(ended.value.code, said.out.decode(), said.err.decode())


def run(*arguments, home, **environment):
    """The command in a process of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ANOMALY_")}
    return subprocess.run(
        [sys.executable, "-P", "-m", "anomaly", *arguments],
        env=clean | {"HOME": str(home)} | environment,
        cwd=home, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
