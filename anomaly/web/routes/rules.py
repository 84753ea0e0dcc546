"""Rules: those in use with when they fired last, one with its card; checking, replaying, and letting paused ones go on."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import Field
from sqlalchemy import Connection
from typing_extensions import TypedDict

from anomaly.asked import Desk, chosen_rule, replay_rules
from anomaly.errors import NotFound, UsageError
from anomaly.jobs.job import Work
from anomaly.payloads.checking import RuleCheckPayload, rule_check_payload
from anomaly.payloads.exception import HeldPayload, PausePayload, held_payload, pause_payload
from anomaly.payloads.job import RunPayload
from anomaly.payloads.rule import RuleCardPayload, RulePayload, rule_card_payload, rule_payload
from anomaly.rights import Principal, Right
from anomaly.rules import RuleSet
from anomaly.rules.check import check_documents
from anomaly.rules.document import read_text
from anomaly.rules.pack import parse_all, rule_set
from anomaly.rules.problem import RuleFileInvalid, closest
from anomaly.store.findings import last_fired
from anomaly.store.pauses import list_held, list_pauses, resume
from anomaly.web.access import need
from anomaly.web.answer import answer, tagged
from anomaly.web.clock import clock
from anomaly.web.desk import Desk as Held
from anomaly.web.desk import aside, change, desk_of, read
from anomaly.web.fields import Body, Document, Limit, Moment, OfCluster, Words
from anomaly.web.openapi import NOT_MODIFIED, problems
from anomaly.web.routes.runs import begun

router = APIRouter(prefix="/v1", tags=["rules"])
Reader = Annotated[Principal, Depends(need(Right.READ))]
Rule = Annotated[Words, Path(description="Id of the rule.")]
_FILE = "rules.yml"


class FiredRulePayload(RulePayload):
    """A rule with when it fired last and how many findings it has, within the clusters that may be seen."""

    last_fired_at: datetime | None
    findings: int


class CheckBody(Body):
    """Rules as YAML."""

    rules: Document


class RuleReplayBody(Body):
    """A rule in use by its id, or rules as YAML, over the events of [since, until); `examples` findings are shown."""

    rule: Words | None = None
    rules: Document | None = None
    since: Moment | None = None
    until: Moment | None = None
    cluster: Words | None = None
    examples: Annotated[int, Field(ge=0, le=1_000)] = 10

    def chosen(self, known: RuleSet) -> RuleSet:
        """This will return the rules to run. Raises NotFound, RuleInvalid, UsageError."""
        if (self.rule is None) == (self.rules is None):
            raise UsageError("Give either `rule`, the id of one in use, or `rules`, as YAML.")
        if self.rule is not None:
            return chosen_rule(known, self.rule)
        found, faults = parse_all(read_text(self.rules or "", _FILE))
        if faults:
            raise RuleFileInvalid(faults)
        return rule_set(found)


@router.get("/rules", response_model=list[FiredRulePayload], responses=NOT_MODIFIED | problems())
async def list_all(request: Request, who: Reader) -> Response:
    """List the rules in use: how grave, which technique, which audit level they need, when they fired last."""
    desk = desk_of(request)
    fired = await read(request, lambda connection: last_fired(connection, who.clusters))

    def deed() -> list[dict[str, object]]:
        needed = desk.needs
        return [
            {
                **rule_payload(one, needed[one.id]),
                "last_fired_at": fired[one.id][0] if one.id in fired else None,
                "findings": fired[one.id][1] if one.id in fired else 0,
            }
            for one in desk.rules.by_id.values()
        ]

    return tagged(request, await aside(request, deed))


@router.get("/pauses", response_model=list[PausePayload], responses=problems())
async def list_paused(request: Request, who: Reader) -> Response:
    """List the rules that are paused because they made too many findings."""
    found = await read(request, list_pauses)
    return answer([pause_payload(one) for one in found if who.may_see(one.cluster)])


@router.post("/checks/rules", response_model=RuleCheckPayload, responses=problems())
async def check(request: Request, who: Reader, body: CheckBody) -> Response:
    """Check rules against the schema of audit events: unknown fields, impossible values, dead selections."""

    def deed() -> RuleCheckPayload:
        try:
            found, faults = check_documents(read_text(body.rules, _FILE))
        except RuleFileInvalid as wrong:
            return rule_check_payload(0, list(wrong.problems))
        return rule_check_payload(len(found), faults)

    return answer(await aside(request, deed))


@router.post("/replays/rules", status_code=202, response_model=RunPayload, responses=problems(429))
async def replay(request: Request, who: Reader, body: RuleReplayBody) -> Response:
    """Run rules over stored events: findings a day and examples, as if the rules had been there. Nothing is stored."""
    if body.cluster is None and who.clusters is not None:
        raise UsageError("Name a cluster: you may not see all of them.")
    if body.cluster is not None and not who.may_see(body.cluster):
        raise NotFound(f"There is no cluster {body.cluster!r}.")
    desk = desk_of(request)
    rules = await aside(request, lambda: body.chosen(desk.rules))

    def deed(work: Work) -> dict[str, object]:
        return dict(
            replay_rules(
                # In this process: decoding beside it would fork a program with threads.
                Desk(work.settings, work.database, work.say),
                rules,
                body.since,
                body.until,
                body.cluster,
                body.examples,
                workers=0,
            )
        )

    return await begun(request, who, "replay-rules", body.cluster, deed)


@router.get("/rules/{rule}", response_model=RuleCardPayload, responses=NOT_MODIFIED | problems())
async def show(request: Request, who: Reader, rule: Rule) -> Response:
    """Show one rule: why it matters, what is often harmless, what to look at first, what it needs."""
    desk = desk_of(request)

    def deed() -> RuleCardPayload:
        one = _known(desk, rule).by_id[rule]
        return rule_card_payload(one, desk.needs[rule])

    return tagged(request, await aside(request, deed))


@router.get("/pauses/{rule}/held", response_model=list[HeldPayload], responses=problems())
async def show_held(request: Request, who: Reader, rule: Rule, limit: Limit = 50) -> Response:
    """List what a paused rule holds back: the findings there would be."""

    def deed(connection: Connection) -> list[HeldPayload]:
        return [
            held_payload(one)
            for pause in list_pauses(connection)
            if pause.rule == rule and who.may_see(pause.cluster)
            for one in list_held(connection, "pause", pause.id, limit)
        ][:limit]

    return answer(await read(request, deed))


class ResumedPayload(TypedDict):
    """In how many clusters a rule makes findings again."""

    rule: str
    resumed: int


@router.post("/pauses/{rule}/resume", response_model=ResumedPayload, responses=problems())
async def let_go_on(
    request: Request,
    who: Annotated[Principal, Depends(need(Right.TRIAGE))],
    rule: Rule,
    cluster: OfCluster = None,
) -> Response:
    """Let a paused rule make findings again. What was held back stays counted and listed."""
    if cluster is None and who.clusters is not None:
        raise UsageError("Name a cluster: you may not see all of them.")
    count = await change(request, lambda connection: resume(connection, rule, cluster, clock()))
    if not count:
        raise NotFound(
            f"The rule {rule} is not paused.", hint="The list of paused rules shows those that are."
        )
    return answer({"rule": rule, "resumed": count})


def _known(desk: Held, rule: str) -> RuleSet:
    if rule not in desk.rules.by_id:
        raise NotFound(f"There is no rule {rule}.", hint=closest(rule, desk.rules.by_id) or None)
    return desk.rules
