"""Windows: what one entity did in a span of time, as a sparse histogram. Adding histograms is all that merging is.

Here: dimensions, vocabulary, folding events into windows, many windows at once as arrays. Not here: what the numbers mean
(`anomaly.features`), where windows are kept (`anomaly.store.windows`).
"""
