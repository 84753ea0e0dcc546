"""What is done to one rule on its page: exceptions added and ended, a pause ended, its replay begun and followed."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection

from anomaly.asked import Desk as Asked
from anomaly.asked import chosen_rule, replay_rules
from anomaly.errors import AnomalyError, NotFound, UsageError
from anomaly.findings.exceptions import ANY, RuleException, checked
from anomaly.jobs.job import Work
from anomaly.payloads.exception import exception_preview_payload
from anomaly.rights import Principal, Right
from anomaly.store.exceptions import add_exception, end_exception, preview
from anomaly.store.pauses import resume
from anomaly.web.access import need
from anomaly.web.app import shared_of
from anomaly.web.clock import clock
from anomaly.web.console.answer import HEADERS, page, saying
from anomaly.web.console.errands import begin
from anomaly.web.console.language import N_, catalogue
from anomaly.web.console.view import view_of
from anomaly.web.desk import desk_of
from anomaly.web.fields import Id
from anomaly.web.pages.rule import ERRAND, RuleId, told, work
from anomaly.web.routes.exceptions import seen, within

router = APIRouter(include_in_schema=False)

LONGEST_DAYS: Final = 365
EXAMPLES: Final = 10

Asker = Annotated[Principal, Depends(need(Right.READ))]
Reviewer = Annotated[Principal, Depends(need(Right.TRIAGE))]
Pattern = Annotated[str, Form(max_length=500)]
FormDays = Annotated[int, Form(ge=1, le=LONGEST_DAYS)]


@router.post("/rules/{rule}/replays")
def replay(
    request: Request,
    who: Asker,
    rule: RuleId,
    days: FormDays = 7,
    over: Annotated[str, Form(max_length=300)] = "",
) -> Response:
    """Begin to run the rule over stored events, and go where it can be followed. `over` is a cluster, "" all of them."""
    cluster = over or None
    rules = chosen_rule(desk_of(request).every_rule, rule)
    if cluster is None and who.clusters is not None:
        raise UsageError("Name a cluster: you may not see all of them.")
    with shared_of(request).database.read() as connection:
        if cluster is not None and cluster not in view_of(request, who, connection).clusters:
            raise NotFound(f"There is no cluster {cluster!r}.")
    until = clock()

    def deed(made: Work) -> dict[str, object]:
        asked = Asked(made.settings, made.database, made.say)
        # In this process: decoding beside it would fork a program with threads.
        return dict(
            replay_rules(asked, rules, until - timedelta(days=days), until, cluster, EXAMPLES, workers=0)
        )

    run = begin(request, who, ERRAND, cluster, {"rule": rule, "last_days": days}, deed)
    return RedirectResponse(
        f"/rules/{rule}?run={run.id}#replay", 303, {"Cache-Control": HEADERS["Cache-Control"]}
    )


@router.get("/rules/{rule}/replays/{run}")
def followed(request: Request, who: Asker, rule: RuleId, run: Id) -> Response:
    """Show how far a replay is, and once it has ended what the rule would have found."""
    with shared_of(request).database.read() as connection:
        view = view_of(request, who, connection)
        values = told(connection, who, rule, run)
    return page("rule_replay.html", view, rule_id=rule, **values)


@router.post("/rules/{rule}/exceptions/preview")
def try_exception(
    request: Request,
    who: Reviewer,
    rule: RuleId,
    entity: Pattern = ANY,
    namespace: Pattern = ANY,
    name: Pattern = ANY,
    over: Pattern = ANY,
    days: FormDays = 30,
) -> Response:
    """Say what an exception would have silenced in the last 30 days; nothing is kept."""
    values: dict[str, Any] = {"would": None, "problem": ""}
    with shared_of(request).database.read() as connection:
        view = view_of(request, who, connection)
        try:
            within(who, over or ANY)
            rules, now = desk_of(request).every_rule.by_id, clock()
            made = _made(rule, who.name, "a look", days, over, entity, namespace, name)
            would = preview(connection, checked(made, now, rules), rules, now - timedelta(days=30), now)
            values["would"] = exception_preview_payload(would)
        except UsageError as wrong:
            values["problem"] = " ".join(filter(None, (str(wrong), wrong.hint)))
    return page("rule_preview.html", view, **values)


@router.post("/rules/{rule}/exceptions")
def add(
    request: Request,
    who: Reviewer,
    rule: RuleId,
    reason: Annotated[str, Form(max_length=500)] = "",
    entity: Pattern = ANY,
    namespace: Pattern = ANY,
    name: Pattern = ANY,
    over: Pattern = ANY,
    days: FormDays = 30,
) -> Response:
    """Keep an exception. It holds for events received from now on until its end; findings there are already stay."""
    within(who, over or ANY)

    def deed(session: Connection) -> None:
        made = _made(rule, who.name, reason, days, over, entity, namespace, name)
        add_exception(session, checked(made, clock(), desk_of(request).every_rule.by_id))

    return _done(request, who, rule, deed, N_("The exception holds from now on."))


@router.post("/rules/{rule}/exceptions/{exception}/end")
def end(request: Request, who: Reviewer, rule: RuleId, exception: Id) -> Response:
    """End an exception now: events received from now on are reported again."""

    def deed(session: Connection) -> None:
        within(who, seen(session, who, exception).exception.cluster)
        end_exception(session, exception, clock())

    return _done(request, who, rule, deed, N_("The exception has ended."))


@router.post("/rules/{rule}/resume")
def let_go_on(
    request: Request, who: Reviewer, rule: RuleId, over: Annotated[str, Form(max_length=300)] = ""
) -> Response:
    """Let a paused rule make findings again in one cluster. What was held back stays counted and listed."""

    def deed(session: Connection) -> None:
        if not who.may_see(over) or not resume(session, rule, over, clock()):
            raise NotFound(f"The rule {rule} is not paused there.")

    return _done(request, who, rule, deed, N_("The rule makes findings again."))


def _done(request: Request, who: Principal, rule: str, deed: Any, said: str) -> Response:
    """Do it and show what people decided about the rule as it is now; what is refused is said, and changes nothing."""
    desk = desk_of(request)
    database = shared_of(request).database
    failed = ""
    try:
        with database.begin() as session:
            deed(session)
    except NotFound:
        raise
    except AnomalyError as wrong:
        failed = " ".join(filter(None, (str(wrong), wrong.hint)))
    with database.read() as connection:
        view = view_of(request, who, connection)
        answer = page(
            "rule_decided.html", view, 422 if failed else 200, **work(connection, desk, view, who, rule)
        )
    text = failed or catalogue(view.language).gettext(said)
    return saying(answer, text, kind="failed" if failed else "done")


def _made(
    rule: str, owner: str, reason: str, days: int, cluster: str, entity: str, namespace: str, name: str
) -> RuleException:
    # An empty field says nothing; that there is no namespace is a matter for the command line.
    entity, namespace, name, cluster = (part.strip() or ANY for part in (entity, namespace, name, cluster))
    return RuleException(
        rule, owner, reason, clock() + timedelta(days=days), cluster, entity, namespace, name
    )
