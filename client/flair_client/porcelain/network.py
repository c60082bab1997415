"""Network profiles: which chain, which program, which store."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flair_client.config_file import Value, write_config
from flair_client.errors import UsageError
from flair_client.ids import Address
from flair_client.settings import NetworkProfile, Settings


@dataclass(frozen=True, slots=True)
class NetworkList:
    """Every network that has a profile."""

    current: str
    networks: tuple[NetworkProfile, ...]


@dataclass(frozen=True, slots=True)
class NetworkChange:
    """A profile that was written or chosen."""

    name: str
    path: Path
    is_current: bool


def network_list(settings: Settings) -> NetworkList:
    """Lists every profile that has a URL and that the site allows."""
    allowed = settings.get("limits.networks")
    names = [
        name
        for name in settings.network_names
        if settings.text(f"network.{name}.url") is not None
        and not (isinstance(allowed, tuple) and name not in allowed)
    ]
    return NetworkList(
        settings.network, tuple(settings.profile(name) for name in names)
    )


def network_show(settings: Settings, name: str | None = None) -> NetworkProfile:
    """Gives a profile; without a name the one in use.

    Raises:
        UsageError: there is no such profile.
        Refused: the site does not allow this network.
    """
    return settings.profile(name)


def network_add(
    settings: Settings,
    name: str,
    *,
    url: str,
    genesis_hash: str | None = None,
    program_id: Address | None = None,
    store_url: str | None = None,
    more_urls: Sequence[str] = (),
    priority_cap: int | None = None,
    replace: bool = False,
) -> NetworkChange:
    """Writes a profile into the user's configuration.

    Raises:
        UsageError: there is one of this name, and `replace` is not set; or a value is
            malformed.
    """
    known = settings.text(f"network.{name}.url") is not None
    if known and not replace:
        raise UsageError(f"there is a network {name!r} already")
    changes: dict[str, Value | None] = {
        f"network.{name}.url": url,
        f"network.{name}.genesis_hash": genesis_hash,
        f"network.{name}.program_id": None if program_id is None else str(program_id),
        f"network.{name}.store": store_url,
        f"network.{name}.more_urls": tuple(more_urls) or None,
        f"network.{name}.priority_cap": priority_cap,
    }
    write_config(settings.user_config, changes)
    return NetworkChange(name, settings.user_config, settings.network == name)


def network_use(settings: Settings, name: str) -> NetworkChange:
    """Makes a network the one that commands use.

    Raises:
        UsageError: it has no profile.
        Refused: the site does not allow this network.
    """
    settings.profile(name)
    write_config(settings.user_config, {"core.network": name})
    return NetworkChange(name, settings.user_config, is_current=True)
