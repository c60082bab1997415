"""How often one reader may ask; counted in memory, by address."""

import ipaddress
from typing import Final

from flask import Flask, request
from flask_limiter import Limiter

_FREE: Final = frozenset(("static", "health.alive", "metrics"))
# Whoever has one address of IPv6 has a whole network of them.
_PREFIX: Final = 64


def limit_rate(app: Flask, rate: str) -> None:
    """Has the application answer 429 to whoever asks more often.

    Args:
        app: the site.
        rate: as `600 per minute`; empty for no limit.
    """
    if not rate:
        return
    # Its choice of what is counted would be kept between applications otherwise.
    limiter = Limiter(
        reader, application_limits=[rate], storage_uri="memory://", headers_enabled=True
    )
    limiter.request_filter(lambda: request.endpoint in _FREE)
    limiter.init_app(app)


def reader() -> str:
    """Gives the reader of the request in hand: an address, or a network of IPv6."""
    text = request.remote_addr or ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        network = ipaddress.ip_network((address, _PREFIX), strict=False)
        return str(network)
    return text
