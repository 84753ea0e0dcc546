"""The language of questions about events: text in, a tree out, and back again.

What belongs here: the words of the language (`fields`), reading and writing it (`read`, `write`), and what only the raw event
can answer (`deep`). What does not: SQL, the clock; `anomaly.store.asking` turns a tree into a search, `now` is its argument.
To add a field, add it to `fields.FIELDS` and say in the store which column holds it, or here in `deep` how an event tells it.
"""

from anomaly.query.mistake import QueryInvalid
from anomaly.query.read import read
from anomaly.query.tree import EVERYTHING, Node
from anomaly.query.write import write

__all__ = ["EVERYTHING", "Node", "QueryInvalid", "read", "write"]
