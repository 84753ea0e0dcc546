"""What runs by itself, one file a job: a module here with a `JOB` is found because it is there, and gets its place in `anomaly jobs`.

Not here: what a job does, which stands in the story files and the store; a job only says when, for whom, and what came of it.
`runner.py` runs them: of all replicas one leads, and each run is claimed in the database, so that none happens twice.
To add a job: one file with `JOB = Job(...)`, a setting for its time in `anomaly.settings.JobSettings`, and its mirrored test.
"""
