"""How remarks on a file are shown: like a compiler's, with effect and remedy below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from anomaly.cli.invocation import current
from anomaly.cli.output import Format, visible, write_json, write_text

if TYPE_CHECKING:
    from anomaly.policy.remark import Remark


def write_remarks(found: Mapping[str, Sequence[Remark]], output: Format) -> int:
    """Write the remarks on each file. This will return 1 when one of them is an error, else 0."""
    listed = [(file, remark) for file, remarks in found.items() for remark in remarks]
    if output is Format.JSON:
        from anomaly.payloads.policy import remark_payload

        write_json([remark_payload(remark, file) for file, remark in listed])
    for file, remark in listed if output is Format.TABLE else ():
        write_text(visible(f"{file}:{remark.line}: {remark.severity}: {remark.id}: {remark.says}"))
        write_text(visible(f"    effect: {remark.effect}"))
        write_text(visible(f"    remedy: {remark.remedy}"))
    counts = {
        word: sum(remark.severity == word for _, remark in listed) for word in ("error", "warning", "info")
    }
    counts["remark"] = counts.pop("info")
    said = [f"{count} {word}{'' if count == 1 else 's'}" for word, count in counts.items()]
    current().say(f"{', '.join(said)}.")
    return int(counts["error"] > 0)
