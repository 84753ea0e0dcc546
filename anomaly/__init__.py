"""The map of the product. Read this page, then `pipeline.py`, `review.py` and `nightly.py`, and you know the whole.

Three floors, imports only go down: `anomaly` (everything that knows Kubernetes, SQL, HTTP or people) -> `training` (how a
model comes to be) -> `models` (what a fitted detector is).

Rooms of this floor, top to bottom:

- `cli`, `web`     the command line and the HTTP API: one file a command or resource, no logic.
- `trials`         the product tried on a log whose attacks are known: the demonstration, the detection benchmark.
- `asked`          long work that people ask for, by command or over HTTP.
- `payloads`       each thing as plain data: one for `--output json`, the API and the console.
- `doctor`         what arrives, what cannot fire because of it, the next step; `installation`, `patient` and `fetched` are its
  looks.
- `jobs`           what runs by the clock: training, scoring, folding, retention, partitions.
- `bootstrap`      the only place that wires settings, database and rooms together.
- `appraising`     a window judged for whoever asks, kept nowhere.
- `replay` `ranking` `reigning` `promising` `usual`   a model over history; findings after verdicts; the champion held ready;
  promises kept; habits.
- `pipeline`       an event's way: decode, keep, window, rules, finding. `review`: a finding's way. `nightly`: a model's way. `accounts`: a person's way in.
- `readers`        logs and folders that the service reads by itself. `weighing`: a policy before it is set at our door.
- `completeness`   what came by day and source, pauses and alarms.
- `hearing` `drifting` `workers` `door`   what verdicts teach; how two models differ; processes that write side by side; the
  policy that is applied to what comes in.
- `sources` `policy` `reports`   one file a source of events, a question to an audit policy, a report.
- `store`          the only SQL.
- `findings`       what a person sees: merging, suppression, triage, risk.
- `intake`         what can be said of the intake itself: tallies, lateness, silence, what the policy seems to be.
- `rules` `scoring`   a check on every event; a judgement on every window.
- `features`       one file a feature family, computed from windows in bulk.
- `windows`        sparse histograms of what an entity did in a span of time; order never matters.
- `redaction`      what must never be stored, and what stands in its place.
- `events`         what an audit event is. `rights`: who may do what. `settings`, `errors`: what can be set, how it refuses.

From `findings` down everything is pure: data in, data out; no session, no clock, no socket.
"""
