"""The last release works on the schema of this one, so that a rolling update loses nothing.

Its code comes from the repository: the newest tag `v*`, or the commit that LAST_RELEASE names. Without either there is no release
to try, and the test says so.
"""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from anomaly.store.clusters import add_cluster
from anomaly.store.tokens import issue
from tests.anomaly.web.running import Service, batch
from tests.conftest import url_of

ROOT = Path(__file__).parents[2]


def git(*arguments):
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else b""


@pytest.fixture(scope="module")
def last_release(tmp_path_factory):
    """The checkout of the last release."""
    named = (
        os.environ.get("LAST_RELEASE")
        or git("describe", "--tags", "--abbrev=0", "--match", "v*").decode().strip()
    )
    if not named:
        pytest.skip("there is no release yet: no tag v*, and LAST_RELEASE names no commit")
    folder = tmp_path_factory.mktemp("release")
    packed = folder / "release.tar"
    packed.write_bytes(git("archive", "--format=tar", named))
    assert packed.stat().st_size, f"{named} is not in this repository"
    with tarfile.open(packed) as archive:
        archive.extractall(folder / "tree", filter="data")
    return folder / "tree"


def test_the_last_release_takes_in_and_answers_on_the_new_schema(
    last_release, database, tmp_path, monkeypatch
):
    with database.begin() as connection:
        token = issue(connection, add_cluster(connection, "shop"))
    monkeypatch.setenv("PYTHONPATH", str(last_release))
    with Service(url_of(database), tmp_path) as service:
        where = subprocess.run(
            [sys.executable, "-P", "-c", "import anomaly; print(anomaly.__file__)"],
            capture_output=True, text=True, check=True, cwd=tmp_path,
        )  # fmt: skip
        assert where.stdout.startswith(str(last_release)), "the code of this release would be tried"
        assert service.get("/readyz") == 200
        status, counts, _ = service.post("shop", token, batch(5))
        assert (status, counts["kept"]) == (200, 5)
        environment = os.environ | {"ANOMALY_DATABASE_URL": url_of(database)}
        command = [sys.executable, "-P", "-m", "anomaly", "events", "--cluster", "shop", "--output", "json"]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=True
        )
        assert len(json.loads(done.stdout)) == 5
