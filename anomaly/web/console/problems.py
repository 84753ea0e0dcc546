"""Problems for people: a refusal that a browser asked for becomes a page, one that a script of ours asked for a few words."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from anomaly.web.console.answer import bare_page, partial, saying
from anomaly.web.console.language import N_

_CONSOLE: Final = ("text/html", "application/xhtml+xml")
_API: Final = "/v1"
_TITLES_OF_THE_FRAMEWORK: Final = (N_("Not Found"), N_("Method Not Allowed"))


def shown(request: Request, problem: Response) -> Response:
    """This will return a problem (RFC 9457) in the form that whoever asked can use; programs get it as it is."""
    if request.url.path == _API or request.url.path.startswith(f"{_API}/"):
        return problem
    content = msgspec.json.decode(bytes(problem.body))
    if partial(request):
        words = " ".join(str(content[name]) for name in ("detail", "hint") if content.get(name))
        problem.headers["HX-Reswap"] = "none"
        return saying(problem, words or str(content["title"]), kind="failed")
    if not any(kind in request.headers.get("accept", "") for kind in _CONSOLE):
        return problem
    page = bare_page(
        request,
        "problem.html",
        problem.status_code,
        status_code=problem.status_code,
        title=content["title"],
        detail=content.get("detail", ""),
        hint=content.get("hint", ""),
    )
    for name in ("retry-after", "www-authenticate", "connection"):
        if name in problem.headers:
            page.headers[name] = problem.headers[name]
    return page
