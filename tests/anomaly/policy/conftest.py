"""The recorded verdicts of a real kube-apiserver (`tests/data/policy-verdicts`), read once for all tests of this room."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import pytest
import zstandard

from anomaly.policy.explain import requests_from
from anomaly.policy.parse import Reading, read

FOLDER = Path(__file__).parents[2] / "data" / "policy-verdicts"


class Recording:
    """What the server was given, and what it did."""

    folder = FOLDER
    seed = FOLDER / "seed-article"

    def __init__(self):
        packed = (FOLDER / "verdicts.json.zst").read_bytes()
        self.verdicts = json.loads(zstandard.ZstdDecompressor().decompress(packed))
        self.raw_requests = json.loads((FOLDER / "requests.json").read_bytes())
        self.asked = requests_from((FOLDER / "requests.json").read_bytes())

    def read(self, name) -> Reading:
        return read((FOLDER / "policies" / f"{name}.yaml").read_bytes(), f"{name}.yaml")

    def names(self, *, accepted):
        return [name for name, verdict in self.verdicts.items() if verdict["accepted"] is accepted]


@lru_cache(maxsize=1)
def _recording():
    return Recording()


@pytest.fixture(scope="session")
def recording():
    return _recording()


def _policy(rules: str, head: str = "") -> bytes:
    lines = "\n".join(f"  {line}" for line in rules.strip("\n").split("\n"))
    return f"apiVersion: audit.k8s.io/v1\nkind: Policy\n{head}rules:\n{lines}\n".encode()


@pytest.fixture(scope="session")
def policy_of():
    """A policy file of rules written as a YAML list, as short as a test can say it."""
    return _policy


def pytest_generate_tests(metafunc):
    recorded = {"recorded": None, "accepted": True, "refused": False}
    for name, accepted in recorded.items():
        if name in metafunc.fixturenames:
            names = _recording().verdicts if accepted is None else _recording().names(accepted=accepted)
            metafunc.parametrize(name, sorted(names))
