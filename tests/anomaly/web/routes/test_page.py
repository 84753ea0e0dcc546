"""The examples of the reference page, run as they stand there."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "api.md"
EXAMPLES = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_of_the_page_is_answered(served, example):
    _, service, callers = served
    environment = os.environ | {"URL": service.url, "TOKEN": callers["admin"].token, "CLUSTER": "town"}
    done = subprocess.run(["sh", "-ec", example], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout, done.stderr
