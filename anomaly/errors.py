"""The few ways this product can refuse, each with its remedy in words.

The docstring of a class is its default message. The command line turns one into a sentence and an exit code
(`anomaly/cli`), the HTTP API into an RFC 9457 problem (`anomaly/web`); nothing else catches them by name.
"""

from __future__ import annotations

import inspect


class AnomalyError(Exception):
    """Something went wrong that the user can do something about."""

    exit_code = 1
    """Exit status of the command line: 1 failure, 2 usage, 4 refused, 5 a dependency is down."""

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        super().__init__(message or inspect.cleandoc(type(self).__doc__ or ""))
        self.hint = hint


class UndecodableEvent(AnomalyError):
    """This is not an audit.k8s.io event; it is kept in quarantine (`anomaly quarantine list`)."""


class SourceUnavailable(AnomalyError):
    """The input cannot be read; check that the path exists and that you may read it."""


class SettingsInvalid(AnomalyError):
    """A setting is not usable; `anomaly settings` shows each value and where it came from."""

    exit_code = 2


class UsageError(AnomalyError):
    """The command cannot be understood; `anomaly COMMAND --help` shows what it takes."""

    exit_code = 2


class DatabaseUnavailable(AnomalyError):
    """The database does not answer; `anomaly db status` says more."""

    exit_code = 5


class SchemaOutdated(AnomalyError):
    """The database was made by another release; run `anomaly db upgrade`."""

    exit_code = 5


class NotFound(AnomalyError):
    """There is no such thing; list what there is first."""


class Refused(AnomalyError):
    """The token is missing, wrong or not for this cluster."""

    exit_code = 4


class NoModel(AnomalyError):
    """No model has been trained yet; run `anomaly train` first."""


class RuleInvalid(AnomalyError):
    """A rule cannot be used; the message says where and why."""


class PolicyInvalid(AnomalyError):
    """The audit policy cannot be read as kube-apiserver would read it."""


class MoveNotAllowed(AnomalyError):
    """A finding in this state cannot make this move; `anomaly findings show` lists the moves it can."""


class DeliveryFailed(AnomalyError):
    """A message could not be delivered."""

    def __init__(
        self, message: str | None = None, *, permanent: bool = False, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.permanent = permanent
