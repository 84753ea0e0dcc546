"""Pages as answers: rendered, and with the headers that hold a browser to what our pages are: no foreign script, style or frame."""

from __future__ import annotations

import json
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from anomaly.web.console.templates import environment
from anomaly.web.console.view import View, bare_view

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        # The one policy of `static/js/trust.js`: answers of this service, and no script at all.
        "trusted-types anomaly",
    )
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    # What an analyst saw stays in no cache, his browser's back button included.
    "Cache-Control": "no-store",
    "Vary": "Cookie, Accept-Language, HX-Request",
}


def page(template: str, view: View, status: int = 200, **values: Any) -> Response:
    """This will render a template as an answer; a whole page or the part that a script asked for, as the template says."""
    text = environment(view.language).get_template(template).render(view=view, **values)
    return HTMLResponse(text, status, HEADERS)


def bare_page(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """This will render a page for whoever is not signed in: the login, a problem."""
    return page(template, bare_view(request), status, **values)


def partial(request: Request) -> bool:
    """This will say whether htmx asks for a part of a page, not for one to be shown by itself."""
    return request.headers.get("hx-request") == "true" and request.headers.get("hx-boosted") != "true"


def saying(answer: Response, text: str, *, kind: str = "done", **more: object) -> Response:
    """This will have the page say something in its message area (`static/js/messages.js`); `kind` is done, note or failed."""
    said = {"said": {"text": text, "kind": kind, **more}}
    # Headers are Latin-1: everything else goes as \u escapes.
    answer.headers["HX-Trigger"] = json.dumps(said, ensure_ascii=True)
    return answer
