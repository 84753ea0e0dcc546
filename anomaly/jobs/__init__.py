"""One file a job that runs by the clock; exactly one replica runs it.
"""
