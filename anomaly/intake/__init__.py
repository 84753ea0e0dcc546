"""What can be said of the intake itself: how much came, how late, what is missing, what the audit policy seems to be. Pure.

Here: tallies that add up in any order, the histogram of lateness, silence held against what is usual, visible changes of a
policy, and the API server's own counts held against ours. Not here: where any of it is kept (`anomaly.store`), or who is told
(`anomaly.completeness`, `anomaly.doctor`). To add a question: one file of functions over values, and its mirrored test.
"""
