"""What must never be stored: bodies of Secrets, tokens, keys and passwords, replaced before anything is kept.

Here: `suspicion.py` looks through raw bytes for what could be one (most events hold none and cost a search), `objects.py` knows
where Kubernetes keeps secrets, `texts.py` what tokens look like in any text, `uris.py` request URIs, `stand_in.py` what is put in
their place, `redact.py` does it to decoded input, `rejects.py` to bytes that are no event.
Not here: who counts it (`anomaly.store.redactions`). To know a new token by its look: one entry in `texts.TOKENS`.
"""

from anomaly.redaction.redact import Redacted, Redactor
from anomaly.redaction.stand_in import Kind, Tally

__all__ = ["Kind", "Redacted", "Redactor", "Tally"]
