"""The map of the product. Read this page, then `pipeline.py`, `review.py` and `nightly.py`, and you know the whole.

Three floors, imports only go down: `anomaly` (everything that knows Kubernetes, SQL, HTTP or people) -> `training` (how a
model comes to be) -> `models` (what a fitted detector is).

Rooms of this floor, top to bottom:

- `cli`, `web`     the command line and the HTTP API: one file a command or resource, no logic.
- `trials`         the product tried on a log whose attacks are known: the demonstration, the detection benchmark.
- `jobs`           what runs by the clock: training, scoring, folding, retention, partitions.
- `bootstrap`      the only place that wires settings, database and rooms together.
- `replay` `ranking` `reigning`   a model over history; open findings after verdicts; the champion held ready.
- `pipeline`       an event's way: decode, keep, window, rules, finding. `review`: a finding's way. `nightly`: a model's way.
- `hearing` `drifting` `workers`   what verdicts teach; how two models differ; processes that write side by side.
- `sources` `policy` `reports`   one file a source of events, a question to an audit policy, a report.
- `store`          the only SQL.
- `findings`       what a person sees: merging, suppression, triage, risk.
- `rules` `scoring`   a check on every event; a judgement on every window.
- `features`       one file a feature family, computed from windows in bulk.
- `windows`        sparse histograms of what an entity did in a span of time; order never matters.
- `events`         what an audit event is. `settings`, `errors`: what can be set, how it refuses.

From `findings` down everything is pure: data in, data out; no session, no clock, no socket.
"""
