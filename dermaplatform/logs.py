"""Structured logs that carry ids only: names, addresses, images and results are taken out before writing."""

import logging.config
import re
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

PRIVATE_KEYS = frozenset(
    {
        "email", "name", "password", "ip", "user_agent", "image", "file", "filename", "probabilities",
        "top", "urgency", "reasons", "token", "session_token", "x_session_token", "cookie", "body_site",
        "address", "place", "latitude", "longitude", "date_of_birth", "sex", "skin_type", "allergies",
        "medication", "skin_cancer_history", "licence_number", "document", "reason",
    }
)  # fmt: skip
_TAKEN_OUT = "[redacted]"
_IN_TEXTS = (
    re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),  # e-mail addresses
    # What stands behind the path: words that were searched for, where somebody is.
    re.compile(r"(?<=[\w/-]\?)[\w.~%+-]+=[^\s\"'<>]*"),
    re.compile(r"(?<=/confirm-email/)[^/\s]+"),  # the links in mails open an account
    re.compile(r"(?<=/password/reset/key/)[^/\s]+"),
    re.compile(r"(?<=/erased/)[^/\s]+"),  # the address of a receipt, known to its owner alone
    re.compile(r"(?<=/calendar/)[^/\s]+"),  # whoever has this address reads somebody's visits
)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        for private in _IN_TEXTS:
            value = private.sub(_TAKEN_OUT, value)
        return value
    if isinstance(value, dict):
        return {k: _TAKEN_OUT if str(k).lower() in PRIVATE_KEYS else _clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Structlog processor: replaces the values of private keys, and what is private anywhere in a text."""
    return dict(_clean(dict(event)))


def logging_config(*, debug: bool) -> None:
    """Send everything, the standard library's loggers included, through structlog to stderr."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=False) if debug else structlog.processors.JSONRenderer()
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "structured": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
            "root": {"handlers": ["stderr"], "level": "INFO"},
            "loggers": {
                # One line a request says it all; these would repeat it.
                "django.server": {"level": "WARNING"},
                "celery.worker.strategy": {"level": "WARNING"},
                "celery.app.trace": {"level": "WARNING"},
                "celery.beat": {"level": "WARNING"},
                "django_structlog": {"level": "WARNING" if debug else "INFO"},
            },
        }
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
