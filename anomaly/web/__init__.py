"""The HTTP API: one file a resource in `routes/`, no logic in them; and what any server needs around them.

Here belong reading bodies within limits, asking who sends, committing many bodies at once, problems (RFC 9457), logs of
requests, TLS, starting and stopping. Not here: SQL, decoding, rules. To add a resource: one file in `routes/` that exposes
`router`; every route asks for a token unless it is listed in `anomaly.web.app.OPEN`, and a test holds that.
"""
