"""The document of the API: the copy in the documentation is it, and a service does what it says, whatever it is asked.

`HYPOTHESIS_EXAMPLES=200 python -m pytest tests/anomaly/web/routes/test_openapi.py -n 0` asks more of each route.
"""

import json
import os
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS

from anomaly.web.described import document

DOCUMENT = json.loads(document())
COPY = Path(__file__).parents[4] / "docs" / "reference" / "openapi.json"
EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "3"))
schema = schemathesis.openapi.from_dict(DOCUMENT)
# Thousands of requests at the edges of every parameter: minutes, so only where more is asked for.
schema.config.phases.coverage.enabled = "HYPOTHESIS_EXAMPLES" in os.environ


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    return b"\n".join(json.dumps(one).encode() for one in (value if isinstance(value, list) else [value]))


UNASKED = {
    "positive_data_acceptance",
    "missing_required_header",
    "use_after_free",
    "ensure_resource_availability",
}
"""A body of the right shape may still mean nothing: a rule there is not, a time that ends before it begins."""


def test_the_copy_in_the_documentation_is_the_document():
    assert COPY.read_text(encoding="utf-8") == document(), (
        "run: python -m anomaly api describe > docs/reference/openapi.json"
    )


@pytest.mark.parametrize("path", sorted(DOCUMENT["paths"]))
def test_every_route_declares_who_may_ask_and_how_it_refuses(path):
    for operation in DOCUMENT["paths"][path].values():
        assert operation["security"] and operation["summary"] and operation["description"]
        assert {"401", "403", "404", "422", "503"} <= operation["responses"].keys()


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_service_answers_as_it_says(case, served):
    _, service, callers = served
    checks = [check for check in CHECKS.get_all() if check.__name__ not in UNASKED]
    case.call_and_validate(
        base_url=service.url,
        headers={"Authorization": f"Bearer {callers['admin'].token}"},
        checks=checks,
        timeout=60,
    )
