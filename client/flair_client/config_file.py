"""Configuration files: which settings there are, and TOML in and out.

Which file wins over which is the business of `settings`.
"""

import math
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from flair_client.errors import UsageError
from flair_client.ids import Address
from flair_client.names import is_name
from flair_client.toml_text import TomlInvalid, parse_toml

if TYPE_CHECKING:
    import tomlkit

Value: TypeAlias = str | bool | int | float | tuple[str, ...]
# A settings file is written by people; anything longer is something else.
MAX_CONFIG_BYTES: Final = 1024 * 1024


class Kind(Enum):
    """What a setting holds."""

    TEXT = "text"
    FLAG = "true or false"
    SECONDS = "a whole number of seconds"
    COUNT = "a whole number"
    NUMBER = "a number of at least 0"
    ADDRESS = "an address"
    URL = "a URL"
    TEXTS = "a list of texts"


@dataclass(frozen=True, slots=True)
class Key:
    """A setting that may stand in a configuration file."""

    kind: Kind
    help: str


KEYS: Final[Mapping[str, Key]] = {
    "core.network": Key(Kind.TEXT, "network profile that commands use"),
    "core.wallet": Key(Kind.TEXT, "wallet that signs: a name, or a path to its file"),
    "core.color": Key(Kind.FLAG, "colours in the terminal"),
    "core.progress": Key(Kind.FLAG, "progress bars"),
    "car.keep": Key(
        Kind.FLAG, "whether each pull keeps a CAR of every head in .flair/cars"
    ),
    "kubo.program": Key(Kind.TEXT, "Kubo's program `ipfs`, where it is not on PATH"),
    "validator.program": Key(
        Kind.TEXT, "the program `solana-test-validator`, where it is not on PATH"
    ),
    "pin.url": Key(Kind.URL, "endpoint of the pinning service"),
    "pin.token_file": Key(Kind.TEXT, "file of its token, readable by you alone"),
    "rpc.timeout_s": Key(Kind.SECONDS, "how long one request to the chain may take"),
    "rpc.proxy": Key(Kind.URL, "HTTP proxy on the way to the chain"),
    "rpc.ca_file": Key(
        Kind.TEXT, "certificates (PEM) to believe the chain's servers by, too"
    ),
    "workspace.repo": Key(
        Kind.TEXT, "the repository that this workspace is a clone of"
    ),
    "workspace.branch": Key(Kind.TEXT, "the branch that this workspace is on"),
    "store.gateways": Key(
        Kind.TEXTS, "URLs of gateways that give what the store has not"
    ),
    "workspace.stores": Key(
        Kind.TEXTS, "stores that the repository lists: read besides its store"
    ),
    "workspace.store": Key(Kind.URL, "where this repository's blocks are kept"),
    "train.data": Key(Kind.TEXT, "the data source or file that `flair train` reads"),
    "train.map": Key(Kind.TEXTS, "its columns, as COLUMN=FIELD"),
    "train.map_file": Key(Kind.TEXT, "a file that maps its columns"),
    "contribute.on_behalf_of": Key(
        Kind.ADDRESS, "the wallet that this machine's key contributes for"
    ),
    "sponsor.url": Key(Kind.URL, "who pays for what is pushed from here"),
    "privacy.epsilon": Key(Kind.NUMBER, "privacy loss that one update may have"),
    "privacy.delta": Key(Kind.NUMBER, "chance that an update's loss is larger"),
    "privacy.max_epsilon": Key(
        Kind.NUMBER, "privacy loss that a data source may have, all updates together"
    ),
    "limits.networks": Key(Kind.TEXTS, "the only networks that this site may use"),
    "limits.hosts": Key(Kind.TEXTS, "the only hosts that this site talks to"),
    "limits.modes": Key(Kind.TEXTS, "the only privacy modes that updates leave in"),
    "limits.max_epsilon": Key(
        Kind.NUMBER, "privacy loss that a data source may have; without noise none"
    ),
    "limits.max_delta": Key(Kind.NUMBER, "largest delta that an update may state"),
    "limits.min_rows": Key(Kind.COUNT, "fewer rows are not trained on"),
    "limits.metrics": Key(Kind.TEXTS, "the only metrics that leave, by name"),
    "limits.recipes": Key(Kind.TEXTS, "the only recipes that run, by digest"),
    "limits.second_approver": Key(
        Kind.TEXTS, "wallets of which one must approve a push that it does not sign"
    ),
    "limits.no_sandbox": Key(Kind.FLAG, "whether a recipe may run without a sandbox"),
}
PROFILE_KEYS: Final[Mapping[str, Key]] = {
    "url": Key(Kind.URL, "the RPC"),
    "genesis_hash": Key(Kind.ADDRESS, "the cluster's genesis hash, pinned"),
    "program_id": Key(Kind.ADDRESS, "address of the program"),
    "store": Key(Kind.URL, "where blocks are kept"),
    "more_urls": Key(Kind.TEXTS, "other RPCs, asked where the first is away"),
    "ws_url": Key(Kind.URL, "the RPC's WebSocket"),
    "priority_cap": Key(
        Kind.COUNT, "the most that a transaction's priority may cost, in lamports"
    ),
}
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_URL = re.compile(r"(https?|wss?|file|kubo|kubo\+https)://[^\s]+")


def find_key(name: str) -> Key:
    """Gives the setting of a dotted name, as `core.wallet` or `network.devnet.url`.

    Raises:
        UsageError: there is no such setting.
    """
    found = KEYS.get(name)
    if found is None and name.startswith("network."):
        profile, _, field = name.removeprefix("network.").rpartition(".")
        if profile and not is_name(profile):
            raise UsageError(f"{profile!r} cannot be the name of a network")
        found = PROFILE_KEYS.get(field) if profile else None
    if found is None:
        raise UsageError(f"{name!r} is not a setting")
    return found


def parse_value(name: str, text: str) -> Value:
    """Reads a setting as it is given on the command line.

    Raises:
        UsageError: there is no such setting, or it cannot hold this.
    """
    kind = find_key(name).kind
    value: Any = text
    if kind is Kind.FLAG:
        value = {"true": True, "false": False}.get(text.lower(), text)
    elif kind in {Kind.SECONDS, Kind.COUNT} and text.isascii() and text.isdigit():
        value = int(text)
    elif kind is Kind.NUMBER and _NUMBER.fullmatch(text):
        value = float(text)
    elif kind is Kind.TEXTS:
        value = [item.strip() for item in text.split(",") if item.strip()]
    return check_value(name, value)


def check_value(name: str, value: Any) -> Value:
    """Gives the value back where the setting may hold it.

    Raises:
        UsageError: there is no such setting, or it cannot hold this.
    """
    kind = find_key(name).kind
    if kind is Kind.FLAG:
        good = isinstance(value, bool)
    elif kind is Kind.SECONDS:
        good = type(value) is int and 0 < value <= 86_400
    elif kind is Kind.COUNT:
        good = type(value) is int and 0 <= value <= 2**53
    elif kind is Kind.NUMBER:
        good = type(value) in {int, float} and math.isfinite(value) and value >= 0
        value = float(value) if good else value
    elif kind is Kind.TEXTS:
        good = isinstance(value, list) and all(type(item) is str for item in value)
        value = tuple(value) if good else value
    else:
        good = isinstance(value, str) and 0 < len(value) <= 4096
        if kind is Kind.URL:
            good = good and _URL.fullmatch(value) is not None
        elif kind is Kind.ADDRESS and good:
            Address.parse(value)
    if not good:
        raise UsageError(f"{name} is {kind.value}, not {value!r}")
    checked: Value = value
    return checked


def read_config(path: Path) -> dict[str, Value]:
    """Reads a configuration file as dotted names and values; none there is empty.

    Raises:
        UsageError: not TOML, a setting that does not exist, or one that cannot hold
            its value; names the file.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_CONFIG_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    if len(raw) > MAX_CONFIG_BYTES:
        raise UsageError(f"{path}: longer than any configuration file")
    try:
        tables = parse_toml(raw)
    except TomlInvalid as exc:
        raise UsageError(f"{path}: not TOML: {exc}") from exc
    try:
        return {name: check_value(name, value) for name, value in _flat(tables)}
    except UsageError as exc:
        raise UsageError(f"{path}: {exc}") from exc


def _flat(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            pairs.extend(_flat(value, f"{name}."))
        else:
            pairs.append((name, value))
    return pairs


def write_config(path: Path, changes: Mapping[str, Value | None]) -> None:
    """Changes settings of a file and leaves all else in it as it is.

    A value of None takes the setting out. The file is replaced at once: a reader, or a
    kill, finds the old one or the new one.

    Raises:
        UsageError: as `read_config`, or a change that cannot be.
    """
    # Commands that only read never need it, and it takes long to import.
    import tomlkit

    read_config(path)
    text = path.read_text("utf-8") if path.exists() else ""
    document = tomlkit.parse(text)
    for name, value in changes.items():
        if value is None:
            _remove(document, name)
        else:
            check_value(name, list(value) if isinstance(value, tuple) else value)
            _place(document, name, value)
    write_text(path, tomlkit.dumps(document))


def _place(document: "tomlkit.TOMLDocument", name: str, value: Value) -> None:
    import tomlkit

    table: Any = document
    *folders, last = name.split(".")
    for folder in folders:
        if folder not in table:
            table[folder] = tomlkit.table()
        table = table[folder]
    table[last] = list(value) if isinstance(value, tuple) else value


def _remove(document: "tomlkit.TOMLDocument", name: str) -> None:
    table: Any = document
    *folders, last = name.split(".")
    for folder in folders:
        if folder not in table:
            return
        table = table[folder]
    if last in table:
        del table[last]


def write_text(path: Path, text: str) -> None:
    """Replaces a file at once; folders are made, readable by their owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
