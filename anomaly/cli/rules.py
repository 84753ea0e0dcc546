"""`anomaly rules`: read, check, try out, bring in and take out rules. Works without a database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_details, write_json, write_table, write_text
from anomaly.errors import NotFound

if TYPE_CHECKING:
    from anomaly.rules import Problem, RuleSet

app = App(name="rules", help="Rules in Sigma: list and show them, check and test them, import and export.")

_Rules = Annotated[Path | None, Parameter(name="--rules", help="A rule file or folder instead of the pack.")]
_COLUMNS = (
    Column("id", wrap=False),
    Column("severity"),
    Column("attack", "ATT&CK"),
    Column("level", "needs"),
    Column("title"),
)


@app.command(name="list")
def list_(*, rules: _Rules = None, output: Output = Format.TABLE) -> int:
    """List the rules that are in use: how grave, which technique, which audit level they need."""
    from anomaly.payloads.rule import rule_payload
    from anomaly.rules.needs import needs

    loaded = _load(rules)
    found = {need.rule: need for need in needs(loaded)}
    rows = [rule_payload(one, found[one.id]) for one in loaded.by_id.values()]
    write_table(rows, _COLUMNS, output=output, empty="There are no rules.")
    return 0


@app.command
def show(rule: str, *, rules: _Rules = None, output: Output = Format.TABLE) -> int:
    """Show one rule: why it matters, what is often harmless, what to look at first, what it needs."""
    from anomaly.payloads.rule import rule_card_payload
    from anomaly.rules.needs import needs
    from anomaly.rules.problem import closest

    loaded = _load(rules)
    one = loaded.by_id.get(rule)
    if one is None:
        raise NotFound(f"there is no rule {rule}", hint=closest(rule, loaded.by_id) or "`anomaly rules list`")
    need = next(need for need in needs(loaded) if need.rule == rule)
    write_details(rule_card_payload(one, need), output=output)
    return 0


@app.command
def check(path: Path, *, output: Output = Format.TABLE) -> int:
    """Check rules against the schema of audit events: unknown fields, impossible values, dead selections."""
    from anomaly.rules.check import check_path

    found, problems = check_path(path)
    wrong = _report(problems, output, {"rules": len(found)})
    remarks = counted(len(problems) - wrong, "remark")
    current().say(f"{counted(len(found), 'rule')} read, {counted(wrong, 'error')}, {remarks}.")
    if not found and not problems:
        current().say(f"{path} holds no rule.")
    return 1 if wrong or not found else 0


@app.command
def test(path: Path | None = None, *, output: Output = Format.TABLE) -> int:
    """Run the firing and quiet examples beside the rules of a file or folder; of the pack when none is named."""
    from anomaly.rules.trial import trials

    results = list(trials(_load(path)))
    failed = [result for result in results if not result.passed]
    shown = results if output is Format.JSON else failed
    rows = [
        {
            "rule": result.rule,
            "kind": "firing" if result.example.firing else "quiet",
            "line": result.example.line,
            "example": result.example.name,
            "fault": result.fault,
        }
        for result in shown
    ]
    columns = (
        Column("rule", wrap=False),
        Column("kind"),
        Column("line", right=True),
        Column("example"),
        Column("fault"),
    )
    if rows or output is Format.JSON:
        write_table(rows, columns, output=output)
    current().say(f"{counted(len(results), 'example')}, {len(failed)} failed.")
    if not results:
        current().say("These rules hold no examples: add `tests:` with `firing` and `quiet`.")
    return 1 if failed else 0


@app.command
def schema() -> int:
    """Print the JSON Schema of a rule file, for editors (`# yaml-language-server: $schema=FILE`)."""
    from anomaly.rules.schema import json_schema

    write_json(json_schema())
    return 0


@app.command
def fields(*, page: Path | None = None, output: Output = Format.TABLE) -> int:
    """List the fields that rules may test, their types and the audit level each needs.

    Parameters
    ----------
    page
        A Markdown page whose field table is renewed instead.
    """
    from anomaly.rules.reference import field_rows, with_table

    if page is not None:
        page.write_text(with_table(page.read_text(encoding="utf-8")), encoding="utf-8")
        return 0
    columns = (Column("field", wrap=False), Column("type"), Column("level"), Column("about"))
    write_table(field_rows(), columns, output=output)
    return 0


@app.command(name="import")
def import_(path: Path, *, into: Path | None = None, output: Output = Format.TABLE) -> int:
    """Read Sigma rules of others: mend usual mistakes, say what was mended, check the rest.

    Parameters
    ----------
    into
        Folder to write usable rules to; without it nothing is written.
    """
    from anomaly.rules.importing import import_path

    files = import_path(path)
    problems = [problem for file in files for problem in file.problems]
    usable = [file for file in files if file.usable]
    if into is not None:
        into.mkdir(parents=True, exist_ok=True)
        for file in usable:
            target = into / Path(file.file).with_suffix(".yml").name
            if target.exists():
                current().say(f"{target} is there already and was left alone.")
            else:
                target.write_text(file.text, encoding="utf-8")
    _report(problems, output, {"files": len(files), "usable": len(usable)})
    for file in files:
        if not file.rules and not file.problems:
            current().say(f"{file.file} holds no rule.")
    noun = counted(len(files), "file").removeprefix(f"{len(files)} ")
    current().say(f"{len(usable)} of {len(files)} {noun} usable" + (f", written to {into}." if into else "."))
    return 0 if len(usable) == len(files) else 1


@app.command
def export(
    target: Literal["elasticsearch", "opensearch", "splunk", "graylog", "sigma"],
    *,
    rules: _Rules = None,
    output: Output = Format.TABLE,
) -> int:
    """Print rules as queries of another system; says of each rule that cannot be said there why not."""
    from anomaly.rules.export import Target, documents_at
    from anomaly.rules.export import export as convert

    results = convert(documents_at(rules), Target(target))
    if output is Format.JSON:
        write_json(results)
    else:
        for result in results:
            for query in result.queries:
                remarks = "".join(f"# {note}\n" for note in result.notes)
                write_text(f"# {result.rule}\n{remarks}{query}\n")
    refused = [result for result in results if result.reason]
    for result in refused:
        current().say(f"{result.rule}: not exported: {result.reason}")
    current().say(f"{len(results) - len(refused)} of {len(results)} rules exported.")
    return 0


def counted(number: int, noun: str) -> str:
    """This will say how many: `1 rule`, `1,800 rules`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _load(path: Path | None) -> RuleSet:
    from anomaly.rules import load, pack

    return pack() if path is None else load(path)


def _report(problems: list[Problem], output: Format, totals: dict[str, int]) -> int:
    """Problems as file:line:column lines, which editors and CI understand; returns how many are errors."""
    wrong = sum(problem.gravity == "error" for problem in problems)
    if output is Format.JSON:
        write_json({**totals, "errors": wrong, "problems": problems})
    else:
        for problem in problems:
            write_text(str(problem))
    return wrong
