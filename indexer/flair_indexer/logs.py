"""Log entries as one JSON object a line: the event's name, and its keys."""

import json
import logging
from datetime import UTC, datetime
from typing import Any, Final

# What every record has; the rest was given as keys.
_OWN: Final = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {
    "message",
    "asctime",
    "taskName",
}


class JsonFormatter(logging.Formatter):
    """Writes time, level, event and keys."""

    def format(self, record: logging.LogRecord) -> str:
        """Gives the line."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        entry |= {k: v for k, v in record.__dict__.items() if k not in _OWN}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


def write_json(stream: Any, level: int = logging.INFO) -> logging.Handler:
    """Sends this package's entries to a stream; gives the handler, to be removed."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("flair_indexer")
    logger.addHandler(handler)
    logger.setLevel(level)
    return handler
