"""What an audit event is, and everything that can be said of one event alone.

Here: the typed event, decoding, whose it is, its key, the pod spec or grant inside it. Not here: what several events say
together (`anomaly.windows`), where they came from (`anomaly.sources`), where they are kept (`anomaly.store`).
"""
