"""One file a resource: which paths there are, what they take and answer. No logic: that is in the rooms below.

To add one: a file here with `router = APIRouter()`; each route depends on a token, or its path stands in `anomaly.web.app.OPEN`.
"""
