"""Sources that the service reads by itself, as the settings name them: logs that are followed, folders that are looked through.

Here: which there are (`named.py`), holding one against other replicas (`holding.py`), reading of each kind (`followed.py`,
`looked.py`), and the threads (`keeper.py`). Not here: what a file holds (`anomaly.sources`), what becomes of it (`anomaly.pipeline`).
"""
