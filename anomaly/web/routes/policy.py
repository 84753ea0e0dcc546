"""Audit policies: traps, coverage, what CIS says, differences, a policy made for what is needed; what one would do to stored events."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from anomaly.asked import Desk as Asked
from anomaly.asked import simulate_policy
from anomaly.errors import NotFound, UsageError
from anomaly.jobs.job import Work
from anomaly.payloads.job import RunPayload
from anomaly.payloads.policy import (
    ChangePayload,
    CheckPayload,
    CoveragePayload,
    GeneratedPayload,
    RemarkPayload,
    change_payload,
    checks_payload,
    coverage_payload,
    generated_payload,
    remark_payload,
)
from anomaly.policy.cis import judge
from anomaly.policy.coverage import coverage
from anomaly.policy.diff import diff
from anomaly.policy.document import Policy
from anomaly.policy.generate import Confidential, generate
from anomaly.policy.lint import lint
from anomaly.policy.look import Surroundings
from anomaly.policy.parse import PolicyRefused
from anomaly.policy.parse import read as read_policy
from anomaly.policy.probes import everything
from anomaly.policy.wanted import kept
from anomaly.rights import Principal, Right
from anomaly.web.access import need
from anomaly.web.answer import answer
from anomaly.web.desk import aside, desk_of
from anomaly.web.fields import Body, Document, Moment, Words
from anomaly.web.openapi import problems
from anomaly.web.routes.quarantine import desk_cluster
from anomaly.web.routes.runs import begun

router = APIRouter(prefix="/v1/policy", tags=["policy"])
Reader = Annotated[Principal, Depends(need(Right.READ))]
_FILE = "policy.yaml"


class PolicyBody(Body):
    """An audit policy as YAML or JSON."""

    policy: Document

    def read(self) -> Policy:
        """This will read the policy as kube-apiserver would. Raises PolicyRefused with the server's words."""
        reading = read_policy(self.policy.encode(), _FILE)
        if reading.policy is None:
            raise PolicyRefused(reading)
        return reading.policy


class LintBody(PolicyBody):
    """A policy; `sink` is the username of the audit sink's own identity in the cluster."""

    sink: Words | None = None


class CoverageBody(PolicyBody):
    """A policy, and the rules and families it is held against; all unless said."""

    keep: Annotated[list[Words], Field(max_length=500)] | None = None


class DiffBody(Body):
    """Two policies."""

    before: Document
    after: Document


class GenerateBody(Body):
    """Which rules and families shall see all they need, and whose bodies may be written for it against CIS 3.2.2."""

    keep: Annotated[list[Words], Field(max_length=500)] | None = None
    sink: Words | None = None
    bodies_of: Annotated[
        list[Literal["secrets", "configmaps", "serviceaccounts/token", "tokenreviews"]],
        Field(max_length=4, default_factory=list),
    ]


class SimulateBody(PolicyBody):
    """A policy, and the stored events to run it over; `top` talkers are shown."""

    cluster: Words | None = None
    since: Moment | None = None
    until: Moment | None = None
    top: Annotated[int, Field(ge=0, le=1_000)] = 20


@router.post("/lint", response_model=list[RemarkPayload], responses=problems())
async def name_traps(request: Request, who: Reader, body: LintBody) -> Response:
    """Name every trap of a policy with its effect and a remedy."""

    def deed() -> list[RemarkPayload]:
        found = lint(body.policy.encode(), _FILE, Surroundings(body.sink))
        return [remark_payload(one, _FILE) for one in found]

    return answer(await aside(request, deed))


@router.post("/coverage", response_model=list[CoveragePayload], responses=problems())
async def say_coverage(request: Request, who: Reader, body: CoverageBody) -> Response:
    """Say for each rule and feature family what it sees under a policy, and at which requests it goes blind."""
    desk = desk_of(request)

    def deed() -> list[CoveragePayload]:
        return [coverage_payload(one) for one in coverage(body.read(), kept(desk.wanted, body.keep))]

    return answer(await aside(request, deed))


@router.post("/cis", response_model=list[CheckPayload], responses=problems())
async def say_cis(request: Request, who: Reader, body: PolicyBody) -> Response:
    """Judge CIS 3.2.1 and 3.2.2 by asking the policy, verb by verb."""
    return answer(await aside(request, lambda: checks_payload(judge(body.read()))))


@router.post("/diff", response_model=list[ChangePayload], responses=problems())
async def say_diff(request: Request, who: Reader, body: DiffBody) -> Response:
    """Show of which requests two policies write different things, by a cross-section of all there is to ask."""

    def deed() -> list[ChangePayload]:
        before, after = (PolicyBody(policy=text).read() for text in (body.before, body.after))
        changes = diff(before, after, [("", asked, None) for asked in everything()])
        return [change_payload(one) for one in changes]

    return answer(await aside(request, deed))


@router.post("/generate", response_model=GeneratedPayload, responses=problems())
async def make(request: Request, who: Reader, body: GenerateBody) -> Response:
    """Make the cheapest policy that keeps the chosen rules and families; says which see less than they need, and why."""
    desk = desk_of(request)

    def deed() -> GeneratedPayload:
        bodies = [Confidential(name) for name in body.bodies_of]
        return generated_payload(generate(kept(desk.wanted, body.keep), sink=body.sink, bodies_of=bodies))

    return answer(await aside(request, deed))


@router.post("/simulate", status_code=202, response_model=RunPayload, responses=problems(429))
async def simulate(request: Request, who: Reader, body: SimulateBody) -> Response:
    """Run a policy over stored events: kept, lowered, dropped, bytes, by rule and by top talker."""
    if body.cluster is None and who.clusters is not None:
        raise UsageError("Name a cluster: you may not see all of them.")
    if body.cluster is not None and not who.may_see(body.cluster):
        raise NotFound(f"There is no cluster {body.cluster!r}.")
    number = None if body.cluster is None else await desk_cluster(request, body.cluster)
    policy = await aside(request, body.read)

    def deed(work: Work) -> dict[str, object]:
        asked = Asked(work.settings, work.database, work.say)
        return dict(simulate_policy(asked, policy, body.since, body.until, number, body.top))

    return await begun(request, who, "simulate-policy", body.cluster, deed)
