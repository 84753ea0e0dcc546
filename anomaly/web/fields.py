"""What parameters and bodies may hold, in one place: every text has a longest length and no NUL, every number its bounds."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

LONGEST: Final = 512
_EARLIEST_YEAR, _LATEST_YEAR = 1970, 2260


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("no NUL is taken")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("half a character is not taken") from None
    return text


def _written(at: Any) -> Any:
    """A number is no time: whether seconds or thousandths were meant, nobody could see from the answer."""
    try:
        float(at)
    except (TypeError, ValueError):
        return at
    raise ValueError("a time is written out, as in 2026-11-23T10:30:00Z")


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None or at.utcoffset() is None:
        raise ValueError("the time needs a zone, as in 2026-11-23T10:30:00Z")
    if not _EARLIEST_YEAR < at.year < _LATEST_YEAR:
        raise ValueError(f"the year must be between {_EARLIEST_YEAR} and {_LATEST_YEAR}")
    return at


Text = Annotated[str, StringConstraints(max_length=LONGEST), AfterValidator(_storable)]
"""A text that may be empty."""
Words = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST), AfterValidator(_storable)]
"""A text that says something."""
Note = Annotated[str, StringConstraints(max_length=10_000), AfterValidator(_storable)]
Document = Annotated[str, StringConstraints(max_length=1 << 20), AfterValidator(_storable)]
"""A file as text: a policy, rules."""
Moment = Annotated[datetime, BeforeValidator(_written), AfterValidator(_aware)]

Id = Annotated[int, Path(ge=1, le=2**31 - 1)]
Limit = Annotated[int, Query(ge=1, le=1_000, description="Rows of a page.")]
Cursor = Annotated[
    str | None,
    Query(max_length=2_000, description="`next` of the page before; everything else must stay as it was."),
    AfterValidator(lambda text: text if text is None else _storable(text)),
]
ClusterName = Annotated[Words, Path(description="Name of the cluster.")]
OfCluster = Annotated[Words | None, Query(description="Only of this cluster.")]
Since = Annotated[Moment | None, Query(description="Not before this time.")]
Until = Annotated[Moment | None, Query(description="Before this time.")]

MOST_DAYS: Final = timedelta(days=400)


class Body(BaseModel):
    """A body of a request: unknown names are refused, so that a misspelt one is not taken for nothing."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=False)


Days = Annotated[float, Field(gt=0, le=366)]
