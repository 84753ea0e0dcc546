"""Traces of requests by OpenTelemetry, when a collector is set: one span a request, with its route, status and time.

FastAPI makes the spans itself; here they get somewhere to go. Off by default, and then nothing is made at all. What a query string
holds never leaves the process, since names and codes of a login may be in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fastapi.telemetry import TelemetryConfig

from anomaly.errors import SettingsInvalid
from anomaly.settings import TracingSettings

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span, TracerProvider

_QUIET: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_SECRET: Final = ("url.query", "url.full")


@dataclass(frozen=True, slots=True)
class Tracing:
    """What FastAPI is told of tracing, and how to let go of what is not sent yet when the service stops."""

    telemetry: TelemetryConfig
    close: Callable[[], None]


def untraced() -> TelemetryConfig:
    """This will return what FastAPI is told while nobody wants traces."""
    return {"tracing": False, "metrics": False, "logs": False}


def start_tracing(options: TracingSettings) -> Tracing:
    """This will connect to the collector, or make nothing when there is none set.

    Raises SettingsInvalid when `anomaly[tracing]` is not installed.
    """
    if options.endpoint is None:
        return Tracing(untraced(), lambda: None)
    provider = _provider(options)
    telemetry: TelemetryConfig = {
        "tracer_provider": provider,
        "metrics": False,
        "logs": False,
        "operation_spans": False,
        "exclude": lambda scope: scope.get("path") in _QUIET,
    }
    return Tracing(telemetry, provider.shutdown)


def _provider(options: TracingSettings) -> TracerProvider:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    except ImportError as missing:
        raise SettingsInvalid(
            "tracing.endpoint is set, but what sends traces is not installed.",
            hint="pip install 'anomaly[tracing]', or unset ANOMALY_TRACING__ENDPOINT.",
        ) from missing

    class Discreet(SpanProcessor):
        """Blanks what may hold secrets before anything can export it."""

        def on_start(self, span: Span, parent_context: Context | None = None) -> None:
            for name in _SECRET:
                if span.attributes and name in span.attributes:
                    span.set_attribute(name, "")

    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(options.share)),
        resource=Resource.create({"service.name": "anomaly"}),
        # `_stop` of the server does this in its order, not the end of the interpreter.
        shutdown_on_exit=False,
    )
    provider.add_span_processor(Discreet())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=options.endpoint, timeout=5)))
    return provider
