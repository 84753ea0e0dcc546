"""Where audit events come from: logs on disk as blocks of lines, and one file a source for what wraps an event.

Here: `files.py` and its neighbours read (compressed, listed, rotated, followed), `unwrap.py` recognises, `eks.py` and its like
unwrap. Not here: what an event means (`anomaly.events`), what becomes of it (`anomaly.pipeline`).
To add a source: one file with `recognises(record)` and `unwrap(record)`, its name in `unwrap.SOURCES`, golden files beside the
others in `tests/golden/`.
"""
