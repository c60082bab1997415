"""Settings in files: read with their origin, changed, taken out."""

from dataclasses import dataclass
from pathlib import Path

from flair_client.config_file import (
    Value,
    find_key,
    parse_value,
    read_config,
    write_config,
)
from flair_client.errors import NotAWorkspace
from flair_client.settings import WORKSPACE_FOLDER, Settings


@dataclass(frozen=True, slots=True)
class ConfigEntry:
    """A setting, its value and where that comes from."""

    name: str
    value: Value | None
    origin: str | None


@dataclass(frozen=True, slots=True)
class ConfigList:
    """Every setting that holds here, by name."""

    entries: tuple[ConfigEntry, ...]


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """A changed setting.

    Attributes:
        value: the new one; None where it was taken out.
        previous: what the file said before; None where it said nothing.
        overruled_by: origin of another value that wins all the same.
    """

    name: str
    value: Value | None
    previous: Value | None
    path: Path
    overruled_by: str | None


def config_list(settings: Settings) -> ConfigList:
    """Lists every setting that holds, with its origin."""
    return ConfigList(
        tuple(
            ConfigEntry(name, found.value, found.origin)
            for name, found in sorted(settings.values.items())
        )
    )


def config_get(settings: Settings, name: str) -> ConfigEntry:
    """Gives one setting; its value is None where it is not set.

    Raises:
        UsageError: there is no such setting.
    """
    find_key(name)
    found = settings.values.get(name)
    if found is None:
        return ConfigEntry(name, None, None)
    return ConfigEntry(name, found.value, found.origin)


def config_path(settings: Settings, *, workspace: bool, local: bool) -> Path:
    """Gives the file to change: the user's, the workspace's, or its local one.

    Raises:
        NotAWorkspace: the workspace's is meant and there is none.
    """
    if not workspace and not local:
        return settings.user_config
    if settings.workspace is None:
        raise NotAWorkspace("there is no .flair folder here or above")
    name = "config.local" if local else "config"
    return settings.workspace / WORKSPACE_FOLDER / name


def config_set(settings: Settings, name: str, text: str, path: Path) -> ConfigChange:
    """Writes a setting into a file.

    Raises:
        UsageError: there is no such setting, it cannot hold this, or the file is
            malformed.
    """
    return _change(settings, name, parse_value(name, text), path)


def config_unset(settings: Settings, name: str, path: Path) -> ConfigChange:
    """Takes a setting out of a file.

    Raises:
        UsageError: there is no such setting, or the file is malformed.
    """
    find_key(name)
    return _change(settings, name, None, path)


def _change(
    settings: Settings, name: str, value: Value | None, path: Path
) -> ConfigChange:
    previous = read_config(path).get(name)
    write_config(path, {name: value})
    found = settings.values.get(name)
    overruled = None
    if found is not None and _rank(settings, found.origin) > _rank(settings, str(path)):
        overruled = found.origin
    return ConfigChange(name, value, previous, path, overruled)


def _rank(settings: Settings, origin: str) -> int:
    """Gives where an origin stands in the order of precedence, last wins."""
    order = ["built in", "/etc/flair/config.toml", str(settings.user_config)]
    if settings.workspace is not None:
        folder = settings.workspace / WORKSPACE_FOLDER
        order += [str(folder / "config"), str(folder / "config.local")]
    # Environment, flags and the site's file win over every file of the user.
    return order.index(origin) if origin in order else len(order)
