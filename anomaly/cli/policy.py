"""`anomaly policy`: read, question, judge, compare and make audit policies, and the webhook files beside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from anomaly.cli import policy_door as door
from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, visible, write_json, write_table, write_text
from anomaly.cli.policy_input import read_bytes, read_events, read_needs, read_policy, say_all, simulated
from anomaly.cli.policy_remarks import write_remarks
from anomaly.cli.policy_stored import Stored, observed, stored_needs
from anomaly.cli.policy_webhook import webhook
from anomaly.errors import UsageError

if TYPE_CHECKING:
    from anomaly.policy.request import Request

app = App(name="policy", help="Audit policies: find traps, explain, simulate, compare and make them.")
app.command(webhook)
app.command(door.set_, name="set")
app.command(door.show)
app.command(door.clear)
app.command(door.dropped)

Sink = Annotated[
    str | None,
    Parameter(show_default=False, help="Username of the audit sink's own identity in the cluster."),
]
Rules = Annotated[
    Path | None, Parameter(show_default=False, help="A rule file or folder instead of the pack.")
]
Source = Annotated[
    str | None,
    Parameter(
        allow_leading_hyphen=True,
        show_default=False,
        help="Observed events: a log, a folder of logs, or -; or --stored.",
    ),
]
Owners = Annotated[
    list[str] | None,
    Parameter(
        name="--keep",
        show_default=False,
        negative="",
        help="A rule's or family's name; again for more. Default: all.",
    ),
]
BodiesOf = Annotated[
    list[Literal["secrets", "configmaps", "serviceaccounts/token", "tokenreviews"]] | None,
    Parameter(
        show_default=False,
        negative="",
        help="Write these bodies where a kept rule reads them, against CIS 3.2.2; again for more. Default: none.",
    ),
]


@app.command
def lint(policy: Path, *, sink: Sink = None, output: Output = Format.TABLE) -> int:
    """Name every trap of a policy with its effect and a remedy. Ends with 1 when there are errors."""
    from anomaly.policy.lint import lint as remarks_on
    from anomaly.policy.look import Surroundings

    data = read_bytes(policy)
    return write_remarks({policy.name: remarks_on(data, policy.name, Surroundings(sink))}, output)


@app.command
def explain(
    policy: Path,
    *,
    requests: Path | None = None,
    event: Path | None = None,
    why: Annotated[bool, Parameter(negative="")] = False,
    output: Output = Format.TABLE,
) -> int:
    """Say which rule decides for each request, what is written, and why the other rules do not decide.

    The JSON form also says which bodies are written: true, false, or null where that does not follow from the request.

    Parameters
    ----------
    requests
        A JSON list of requests: name, user, groups and attributes, or method and path.
    event
        A file with stored audit events instead.
    why
        Say of every request why the other rules do not decide. For a single one this is always said.
    """
    from anomaly.policy import explain as explaining

    rules = read_policy(policy)
    if (requests is None) == (event is None):
        raise UsageError("give either --requests FILE or --event FILE")
    if requests is not None:
        found = explaining.explain(
            rules, explaining.requests_from(read_bytes(requests, explaining.MOST_BYTES))
        )
    else:
        assert event is not None
        found = [explaining.explain_event(rules, one) for one, _ in read_events(str(event))]
    if output is Format.JSON:
        write_json([item.as_json() for item in found])
        return 0
    columns = (
        Column("request"),
        Column("asks"),
        Column("decides", wrap=False),
        Column("level"),
        Column("written"),
    )
    write_table([explaining.summary(item) for item in found], columns, empty="There are no requests.")
    for item in found if why or len(found) == 1 else ():
        if len(found) > 1:
            write_text(f"\n{visible(item.name or item.request.sentence)}:")
        for index, reason in item.others.items():
            write_text(visible(f"rules[{index}] does not decide: {reason}"))
    return 0


@app.command
def simulate(
    policy: Path,
    source: Source = None,
    *,
    stored: Stored = None,
    top: int = 20,
    output: Output = Format.TABLE,
) -> int:
    """Run a policy over observed events: kept, lowered, dropped, bytes, by rule and by top talker.

    Parameters
    ----------
    top
        How many talkers to show.
    """
    from anomaly.payloads.policy import simulation_payload

    rules_of = read_policy(policy)
    with observed(source, stored) as events:
        result = simulated(rules_of, events)
    shown = simulation_payload(result, top)
    if output is Format.JSON:
        write_json(shown)
        return 0
    numbers = tuple(Column(name, right=True) for name in shown["total"])
    write_table([*shown["rules"], {"rule": "all", **shown["total"]}], (Column("rule", wrap=False), *numbers))
    write_text("")
    write_table(
        shown["talkers"],
        (Column("user"), Column("action"), Column("rule", right=True), *numbers),
        empty="No events.",
    )
    say_all(result.notes)
    return 0


@app.command
def coverage(
    policy: Path,
    *,
    rules: Rules = None,
    keep: Owners = None,
    stored: Stored = None,
    output: Output = Format.TABLE,
) -> int:
    """Say for each rule and feature family what it sees under a policy. Ends with 1 unless all see all.

    With --stored it is asked about the requests in the database instead of examples of all requests there can be.
    """
    from anomaly.payloads.policy import coverage_payload
    from anomaly.policy.coverage import Sight
    from anomaly.policy.coverage import coverage as covered

    needs = read_needs(rules, keep)
    found = covered(
        read_policy(policy), needs if stored is None or not stored.stored else stored_needs(needs, stored)
    )
    if output is Format.JSON:
        write_json([coverage_payload(item) for item in found])
    else:
        rows = [
            {
                "owner": item.owner,
                "sees": item.sight,
                "whole": f"{item.seen}/{item.asked}",
                "first": item.gaps[0].sentence if item.gaps else "",
            }
            for item in found
        ]
        write_table(
            rows,
            (
                Column("owner", "rule or family", wrap=False),
                Column("sees"),
                Column("whole", "requests", right=True),
                Column("first", "first gap"),
            ),
        )
    return int(any(item.sight is not Sight.ALL for item in found))


@app.command
def diff(before: Path, after: Path, *, requests: Path | None = None, output: Output = Format.TABLE) -> int:
    """Show of which requests two policies write different things. Ends with 1 when there are any.

    Parameters
    ----------
    requests
        A JSON list of requests to compare by; default is a cross-section of all there is to ask.
    """
    from anomaly.payloads.policy import change_payload, rule_name
    from anomaly.policy.diff import diff as differences
    from anomaly.policy.explain import MOST_BYTES, requests_from
    from anomaly.policy.probes import everything

    if requests is None:
        asked: list[tuple[str, Request, tuple[str, ...] | None]] = [
            ("", request, None) for request in everything()
        ]
    else:
        listed = requests_from(read_bytes(requests, MOST_BYTES))
        asked = [
            (item.name, item.request(), tuple(item.stages) if item.stages is not None else None)
            for item in listed
        ]
    changes = differences(read_policy(before), read_policy(after), asked)
    rows: list[dict[str, object]] = [dict(change_payload(change)) for change in changes]
    if output is Format.TABLE:
        rows = [
            row | {"before": rule_name(change.before.rule), "after": rule_name(change.after.rule)}
            for row, change in zip(rows, changes, strict=True)
        ]
    columns = (Column("request"), Column("change", wrap=False), Column("before"), Column("after"))
    write_table(rows, columns, output=output, empty="Both policies write the same.")
    current().say(f"{len(changes)} of {len(asked):,} requests are written differently.")
    return int(bool(changes))


@app.command
def generate(
    *,
    rules: Rules = None,
    keep: Owners = None,
    sink: Sink = None,
    bodies_of: BodiesOf = None,
    output: Output = Format.TABLE,
) -> int:
    """Print the cheapest policy that keeps the chosen rules and families. Ends with 1 when one of them sees less than all.

    Bodies of secrets, tokens and ConfigMaps are left out, as CIS 3.2.2 asks; rules that would read them are named.
    """
    from anomaly.payloads.policy import generated_payload
    from anomaly.policy.generate import Confidential
    from anomaly.policy.generate import generate as made

    result = made(
        read_needs(rules, keep), sink=sink, bodies_of=[Confidential(name) for name in bodies_of or ()]
    )
    if output is Format.JSON:
        write_json(generated_payload(result))
    else:
        write_text(result.text.rstrip("\n"))
    for item in result.unmet:
        current().say(f"{item.owner} sees {item.sight}: {item.gaps[0].sentence}")
        if missing := result.withheld.get(item.owner):
            options = " ".join(f"--bodies-of {name}" for name in missing)
            current().say(
                f"  Left out as CIS 3.2.2 asks: bodies of {', '.join(missing)}; {options} writes them."
            )
    current().say(
        f"{len(result.coverage) - len(result.unmet)} of {len(result.coverage)} rules and families see all they need."
    )
    return int(bool(result.unmet))


@app.command
def forecast(
    source: Source = None,
    *,
    policy: Path | None = None,
    stored: Stored = None,
    output: Output = Format.TABLE,
) -> int:
    """Forecast events, bytes and disk a day from observed traffic.

    Parameters
    ----------
    policy
        The policy to forecast for; default is the one the events were stored under.
    """
    from anomaly.policy.document import Policy, Rule
    from anomaly.policy.forecast import SAMPLE_BYTES, compression_ratio
    from anomaly.policy.forecast import forecast as told

    sample: list[bytes] = []
    rules = read_policy(policy) if policy is not None else None
    with observed(source, stored) as events:
        result = simulated(rules or Policy((Rule("RequestResponse"),)), events, sample, SAMPLE_BYTES)
    if rules is None:
        # As stored: every event is kept as it is, so nothing is unknown.
        result.total.unknown = result.received_wanted = 0
        result.total.bytes_after = result.total.bytes_before
        result.rules.clear()
    found = told(result, compression_ratio(sample))
    if output is Format.JSON:
        write_json(found)
        return 0
    rows = [
        {
            "part": day.name,
            "events": f"{day.events:,.0f}",
            "bytes": _size(day.bytes),
            "disk": _size(day.disk),
            "at_least": day.at_least,
        }
        for day in (*found.rules, found.total)
    ]
    numbers = tuple(Column(name, f"{name} a day", right=True) for name in ("events", "bytes", "disk"))
    write_table(rows, (Column("part", wrap=False), *numbers, Column("at_least", "lower bound")))
    say_all(
        [
            f"from {found.seconds / 3600:.1f} hours of traffic; stored events become {found.ratio:.1f} times smaller",
            *found.notes,
        ]
    )
    return 0


@app.command
def cis(policy: Path, *, output: Output = Format.TABLE) -> int:
    """Judge CIS 3.2.1 and 3.2.2 by asking the policy, verb by verb. Ends with 1 when a check fails."""
    from anomaly.payloads.policy import checks_payload
    from anomaly.policy.cis import judge

    checks = judge(read_policy(policy))
    failed = [check for check in checks if not check.passed]
    columns = (
        Column("control"),
        Column("target", wrap=False),
        Column("verb"),
        Column("passed"),
        Column("level"),
        Column("reason"),
        Column("request", "failing request"),
    )
    write_table(checks_payload(checks), columns, output=output)
    current().say(f"{len(checks) - len(failed)} of {len(checks)} checks pass.")
    return int(bool(failed))


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
