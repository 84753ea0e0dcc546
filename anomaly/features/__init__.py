"""Numbers that say how an entity behaved in a window, for many windows at once.

Here: one file a family in `families/`, found because it is there; the history that novelty and rarity look back on; the
registry that makes the matrix. To add a family, add a file of plain functions of windows, or of windows and their past
(`Past`), whose docstring begins "This will return", says why, and ends with "Unit: ...". One that is a single question, as most
are, is answered for a single window without being called (`questions.py`).
Not here: what is usual and what is strange (`models`, `anomaly.scoring`).
"""

from anomaly.features.history import History
from anomaly.features.registry import extract, layout

__all__ = ["History", "extract", "layout"]
