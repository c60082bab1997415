"""Settings: flags, environment and files, and which of them won.

Besides `cli` this is the only module that looks at the environment. Precedence, the
first wins: `/etc/flair/site.toml`, flag, environment, `.flair/config.local`,
`.flair/config`, the user's `config.toml`, `/etc/flair/config.toml`, built in.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import platformdirs

from flair_client.config_file import Value, read_config
from flair_client.errors import IdentifierInvalid, NetworkUnknown, Refused
from flair_client.ids import Address
from flair_client.names import NAME_RULE, check_name, is_name

WORKSPACE_FOLDER: Final = ".flair"
SYSTEM_FOLDER: Final = Path("/etc/flair")
LOCALNET: Final = "localnet"
PROGRAM_ID_TEXT: Final = "FLRK2f6aX5SoVuziobDG3LMD6TKc3nuVxECVhM5x2CBT"
_BUILT_IN: Final[Mapping[str, Value]] = {
    "core.network": LOCALNET,
    "core.wallet": "default",
    "core.color": True,
    "core.progress": True,
    "rpc.timeout_s": 30,
    "network.test-validator.url": "http://127.0.0.1:8899",
    "network.test-validator.ws_url": "ws://127.0.0.1:8900",
    "network.devnet.url": "https://api.devnet.solana.com",
    "network.devnet.genesis_hash": "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG",
    "network.mainnet.url": "https://api.mainnet-beta.solana.com",
    "network.mainnet.priority_cap": 100_000,
    "network.mainnet.genesis_hash": "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d",
}
_OFF_WORDS: Final = ("", "0", "false", "no", "off")


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and where it comes from."""

    value: Value
    origin: str


@dataclass(frozen=True, slots=True)
class NetworkProfile:
    """What is known about a network.

    Attributes:
        name: as in `flair://NAME/…`.
        rpc_url: where requests go.
        genesis_hash: of the cluster; None where it changes with every start.
        program_id: the program's address there.
        store_url: where blocks are kept.
        more_rpc_urls: asked where the first gives no usable answer.
        priority_cap: the most that a transaction's priority may cost, in lamports.
        ws_url: the RPC's WebSocket; None where it is at the RPC's own URL.
    """

    name: str
    rpc_url: str
    genesis_hash: str | None
    program_id: Address
    store_url: str
    more_rpc_urls: tuple[str, ...] = ()
    priority_cap: int = 0
    ws_url: str | None = None

    @property
    def socket_url(self) -> str:
        """Where subscriptions go."""
        return self.ws_url or "ws" + self.rpc_url.removeprefix("http")


@dataclass(frozen=True, slots=True)
class Flags:
    """What was said on the command line; None where nothing was."""

    home: Path | None = None
    network: str | None = None
    wallet: str | None = None
    color: bool | None = None
    progress: bool | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting and its origin.

    Attributes:
        home: the user's folder: `config.toml`, `wallets/`, `stores/`.
        workspace: the folder that holds `.flair`, where there is one.
        values: by dotted name.
    """

    home: Path
    workspace: Path | None
    values: Mapping[str, Setting] = field(default_factory=dict)

    def get(self, name: str) -> Value | None:
        """Gives a setting's value, or None where it is not set."""
        found = self.values.get(name)
        return None if found is None else found.value

    def text(self, name: str) -> str | None:
        """Gives a text setting, or None where it is not set."""
        value = self.get(name)
        return None if value is None else str(value)

    def is_on(self, name: str) -> bool:
        """Whether a setting that is true or false is true."""
        return self.get(name) is True

    def whole(self, name: str, default: int) -> int:
        """Gives a setting that is a whole number."""
        value = self.get(name)
        return value if isinstance(value, int) else default

    def number(self, name: str, default: float) -> float:
        """Gives a setting that is a number."""
        value = self.get(name)
        return float(value) if isinstance(value, int | float) else default

    @property
    def user_config(self) -> Path:
        """The user's own configuration file."""
        return self.home / "config.toml"

    @property
    def network(self) -> str:
        """Name of the network profile in use."""
        return self.text("core.network") or LOCALNET

    @property
    def network_names(self) -> tuple[str, ...]:
        """Every network that has a profile."""
        names = {
            name.removeprefix("network.").rpartition(".")[0]
            for name in self.values
            if name.startswith("network.")
        }
        return tuple(sorted(names))

    def profile(self, name: str | None = None) -> NetworkProfile:
        """Gives a network's profile; without a name that of the network in use.

        Raises:
            NetworkUnknown: there is no such profile, or it has no URL.
            Refused: the site does not allow this network.
        """
        chosen = self.network if name is None else name
        check_name("network name", chosen)
        url = self.text(f"network.{chosen}.url")
        if url is None:
            raise NetworkUnknown(chosen)
        allowed = self.get("limits.networks")
        if isinstance(allowed, tuple) and chosen not in allowed:
            raise Refused(f"this site does not allow the network {chosen!r}")
        program_id = self.text(f"network.{chosen}.program_id") or PROGRAM_ID_TEXT
        store = self.text(f"network.{chosen}.store")
        more = self.get(f"network.{chosen}.more_urls")
        return NetworkProfile(
            name=chosen,
            rpc_url=url,
            genesis_hash=self.text(f"network.{chosen}.genesis_hash"),
            program_id=Address.parse(program_id),
            store_url=store or (self.home / "stores" / chosen).absolute().as_uri(),
            more_rpc_urls=more if isinstance(more, tuple) else (),
            priority_cap=self.whole(f"network.{chosen}.priority_cap", 0),
            ws_url=self.text(f"network.{chosen}.ws_url"),
        )

    def wallet_path(self, wallet: str | None = None) -> Path:
        """Gives the file of a wallet, by name or path; without one that in use.

        Raises:
            IdentifierInvalid: neither a name nor a path.
        """
        chosen = wallet or self.text("core.wallet") or "default"
        return wallet_file(self.home, chosen)


def wallet_file(home: Path, wallet: str) -> Path:
    """Gives the file of a wallet: a path as it is, a name in the user's folder.

    Raises:
        IdentifierInvalid: neither a name nor a path.
    """
    if "/" in wallet or wallet.endswith(".json"):
        return Path(wallet).expanduser()
    if not is_name(wallet):
        reason = f"neither the path of a file nor a name, which is {NAME_RULE}"
        raise IdentifierInvalid("wallet", wallet[:80], reason)
    return home / "wallets" / f"{wallet}.json"


def find_workspace_folder(start: Path) -> Path | None:
    """Gives the nearest folder, here or above, that holds `.flair`."""
    for folder in (start, *start.parents):
        if (folder / WORKSPACE_FOLDER).is_dir():
            return folder
    return None


def home_folder(flags: Flags, environment: Mapping[str, str]) -> Path:
    """Gives the user's folder: `--home`, `FLAIR_HOME`, or the platform's place."""
    if flags.home is not None:
        return flags.home.expanduser().absolute()
    if environment.get("FLAIR_HOME"):
        return Path(environment["FLAIR_HOME"]).expanduser().absolute()
    return platformdirs.user_config_path("flair")


def load_settings(
    flags: Flags,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    system_folder: Path = SYSTEM_FOLDER,
) -> Settings:
    """Gathers the settings that hold in a folder.

    Raises:
        UsageError: a configuration file is malformed; names it.
    """
    env = os.environ if environment is None else environment
    home = home_folder(flags, env)
    workspace = find_workspace_folder((folder or Path.cwd()).absolute())
    files = [system_folder / "config.toml", home / "config.toml"]
    if workspace is not None:
        local = workspace / WORKSPACE_FOLDER
        files += [local / "config", local / "config.local"]
    values = {key: Setting(value, "built in") for key, value in _BUILT_IN.items()}
    for path in files:
        values |= _from_file(path)
    values |= _from_environment(env)
    values |= _from_flags(flags)
    values |= _from_file(system_folder / "site.toml")
    return Settings(home, workspace, values)


def _from_file(path: Path) -> dict[str, Setting]:
    return {key: Setting(value, str(path)) for key, value in read_config(path).items()}


def _from_environment(env: Mapping[str, str]) -> dict[str, Setting]:
    values: dict[str, Setting] = {}
    for variable, key in (
        ("FLAIR_NETWORK", "core.network"),
        ("FLAIR_WALLET", "core.wallet"),
        ("FLAIR_KUBO", "kubo.program"),
        ("FLAIR_TEST_VALIDATOR", "validator.program"),
    ):
        if env.get(variable):
            values[key] = Setting(env[variable], f"environment {variable}")
    if env.get("FLAIR_NO_PROGRESS", "").lower() not in _OFF_WORDS:
        values["core.progress"] = Setting(
            value=False, origin="environment FLAIR_NO_PROGRESS"
        )
    # https://no-color.org: any value that is not empty switches colours off.
    if env.get("NO_COLOR"):
        values["core.color"] = Setting(value=False, origin="environment NO_COLOR")
    return values


def _from_flags(flags: Flags) -> dict[str, Setting]:
    given: dict[str, tuple[Value | None, str]] = {
        "core.network": (flags.network, "flag --network"),
        "core.wallet": (flags.wallet, "flag --wallet"),
        "core.color": (flags.color, "flag --no-color"),
        "core.progress": (flags.progress, "flag --no-progress"),
    }
    return {
        key: Setting(value, origin)
        for key, (value, origin) in given.items()
        if value is not None
    }
