"""The few ways a model can refuse; each docstring is the default message and names the remedy."""

from __future__ import annotations

import inspect


class ModelError(ValueError):
    """The model cannot be used like this; compare the layout and kinds on its card with the input."""

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        super().__init__(message or inspect.cleandoc(type(self).__doc__ or ""))
        self.hint = hint


class LayoutMismatch(ModelError):
    """The features are not those the model was trained on; train again with the features now in use."""


class UntrustedArtifact(ModelError):
    """The artifact's bytes do not match their SHA-256; restore it from a backup or train again."""


class NotEnoughData(ModelError):
    """There are too few windows to train on; take in more of the log or use shorter windows."""
