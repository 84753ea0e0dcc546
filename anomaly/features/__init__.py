"""One file a feature family: plain functions from many windows to one float64 value each.

To add one, add a file; it is found because it is there. Each function says its unit and its reason.
"""
