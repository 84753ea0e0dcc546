"""An audit policy that somebody pastes: its traps, what goes blind under it, what it would do to stored events, and a better one.

What is pasted is judged and forgotten; it is shown again only as text.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Path, Request, Response

from anomaly.asked import Desk as Asked
from anomaly.asked import simulate_policy
from anomaly.errors import NotFound, UsageError
from anomaly.jobs.job import Work
from anomaly.payloads.policy import ChangePayload, change_payload
from anomaly.policy.cis import judge
from anomaly.policy.coverage import Coverage, Sight, coverage
from anomaly.policy.diff import diff
from anomaly.policy.document import Policy
from anomaly.policy.generate import generate
from anomaly.policy.lint import lint
from anomaly.policy.parse import PolicyRefused, read
from anomaly.policy.probes import everything
from anomaly.rights import Principal, Right
from anomaly.store.clusters import cluster_id
from anomaly.store.database import driver_connection
from anomaly.store.job_runs import find_run
from anomaly.web.access import need, need_page
from anomaly.web.app import shared_of
from anomaly.web.clock import clock
from anomaly.web.console.answer import page, partial
from anomaly.web.console.language import N_
from anomaly.web.console.menu import Entry
from anomaly.web.console.scope import ALL, SPANS
from anomaly.web.console.view import view_of
from anomaly.web.desk import desk_of
from anomaly.web.pages.clusters import rules_with_pages

router = APIRouter(include_in_schema=False)
ENTRY = Entry("/policy", N_("Audit policy"), "policy", "p", 75)

LONGEST: Final = 1 << 18
"""Letters of a policy; those of real clusters have some thousands."""
EXAMPLES: Final = 6
"""Requests shown of each kind of difference."""
TALKERS: Final = 15
RUN: Final = "simulate-policy"
_FILE: Final = "policy.yaml"

Reader = Annotated[Principal, Depends(need_page(Right.READ))]
Asker = Annotated[Principal, Depends(need(Right.READ))]
Text = Annotated[str, Form(max_length=LONGEST)]


@router.get("/policy")
def policy(request: Request, who: Reader) -> Response:
    """Show the page, with nothing judged."""
    return _answered(request, who, "", "")


@router.post("/policy/look")
def look(request: Request, who: Asker, policy: Text = "") -> Response:
    """Name the traps of a policy and say what goes blind under it."""
    remarks = lint(policy.encode(), _FILE)
    lines = policy.splitlines()
    quoted = [(one, lines[one.line - 1] if 0 < one.line <= len(lines) else "") for one in remarks]
    read_as = read(policy.encode(), _FILE).policy
    seen = [] if read_as is None else coverage(read_as, desk_of(request).wanted)
    order = (Sight.ALWAYS, Sight.BLIND, Sight.PART)
    less = sorted(
        (one for one in seen if one.sight is not Sight.ALL),
        key=lambda one: (order.index(one.sight), one.owner),
    )
    failed = [] if read_as is None else [one for one in judge(read_as) if not one.passed]
    return _answered(
        request,
        who,
        policy,
        "look",
        remarks=quoted,
        refused=read_as is None,
        seen=seen,
        less=less,
        failed=failed,
        linked=rules_with_pages(request),
    )


@router.post("/policy/made")
def made(request: Request, who: Asker, policy: Text = "") -> Response:
    """Make the cheapest policy that shows rules and families all they need, and say what it changes against the one pasted."""
    result = generate(desk_of(request).wanted)
    before = _read(policy) if policy.strip() else None
    changes = [] if before is None else changed(before, result.policy)
    unmet: tuple[Coverage, ...] = result.unmet
    return _answered(
        request, who, policy, "made", result=result, unmet=unmet, changes=changes, compared=before is not None
    )


@router.post("/policy/trial")
def trial(
    request: Request,
    who: Asker,
    cluster: Annotated[str, Form(max_length=63)],
    policy: Text = "",
    span: Annotated[str, Form(max_length=4)] = "24h",
) -> Response:
    """Begin to run a policy over the stored events of a cluster; what comes of it is asked for with the run."""
    if span not in {*SPANS, ALL}:
        raise UsageError("This span of time is not known.")
    if not who.may_see(cluster):
        raise NotFound("There is no such cluster.")
    rules, desk, now = _read(policy), desk_of(request), clock()
    since = now - SPANS[span] if span in SPANS else None
    with desk.database.read() as connection:
        number = cluster_id(connection, cluster)

    def deed(work: Work) -> dict[str, object]:
        asked = Asked(work.settings, work.database, work.say)
        return dict(simulate_policy(asked, rules, since, None, number, TALKERS))

    run = desk.errands.begin(RUN, {"by": who.name, "cluster": cluster, "span": span}, deed, now)
    with desk.database.read() as connection:
        # With what it is about, which is noted as it begins.
        found = find_run(driver_connection(connection), run.id)
    return _answered(request, who, policy, "trial", run=found)


@router.get("/policy/trial/{run}")
def come(request: Request, who: Reader, run: Annotated[int, Path(ge=1, le=2**31 - 1)]) -> Response:
    """Show how far a run is, and once it has ended what came of it."""
    with shared_of(request).database.read() as connection:
        found = find_run(driver_connection(connection), run)
    cluster = found.detail.get("cluster")
    seen = who.may_see(cluster) if isinstance(cluster, str) else who.clusters is None
    if found.job != RUN or not seen:
        raise NotFound(f"There is no run {run}.")
    return _answered(request, who, "", "trial", run=found)


@dataclass(frozen=True, slots=True)
class Changes:
    """Requests of which two policies write different things in one way, as `Metadata to None`: how many, and some of them."""

    kind: str
    count: int
    examples: tuple[ChangePayload, ...]


def changed(before: Policy, after: Policy) -> list[Changes]:
    """This will return what changes between two policies, by a cross-section of all there is to ask; the most frequent first."""
    found = diff(before, after, [("", asked, None) for asked in everything()])
    counts = Counter(one.kind for one in found)
    return [
        Changes(
            kind,
            count,
            tuple([change_payload(one) for one in found if one.kind == kind][:EXAMPLES]),
        )
        for kind, count in counts.most_common()
    ]


def _read(text: str) -> Policy:
    reading = read(text.encode(), _FILE)
    if reading.policy is None:
        raise PolicyRefused(reading)
    return reading.policy


def _answered(request: Request, who: Principal, text: str, answer: str, **values: Any) -> Response:
    """The whole page with an answer in it, or for a script of ours the answer alone."""
    with shared_of(request).database.read() as connection:
        view = view_of(request, who, connection)
    template = f"policy_{answer}.html" if answer and partial(request) else "policy.html"
    given: dict[str, Any] = {"text": text, "answer": answer, "longest": LONGEST, "spans": (*SPANS, ALL)}
    return page(template, view, **given, **values)
