"""Feature families, one file each. Every public function defined in a file is a feature: `(windows)` or `(windows, past)`
to one float64 a window, finite, >= 0 and independent of the order of events. Nothing else needs to be edited to add one.
"""
