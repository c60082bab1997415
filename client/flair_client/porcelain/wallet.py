"""Wallets: key files in the user's folder, and what they hold on chain.

Secret keys are never given to the caller.
"""

from dataclasses import dataclass
from pathlib import Path

from flair_client.chain.signer import create_wallet, load_wallet
from flair_client.context import Context
from flair_client.errors import IdentifierInvalid, Refused, WalletError
from flair_client.ids import Address
from flair_client.settings import Settings, wallet_file


@dataclass(frozen=True, slots=True)
class Wallet:
    """A wallet, without its secret.

    Attributes:
        name: of the file in the user's folder, or the path as given.
        address: what others see.
        path: the key file.
        is_default: whether commands use it when none is named.
    """

    name: str
    address: Address
    path: Path
    is_default: bool


@dataclass(frozen=True, slots=True)
class WalletProblem:
    """A file among the wallets that cannot be used."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class WalletList:
    """The wallets of the user's folder, by name."""

    wallets: tuple[Wallet, ...]
    problems: tuple[WalletProblem, ...]


@dataclass(frozen=True, slots=True)
class Balance:
    """What an address holds."""

    address: Address
    network: str
    lamports: int


@dataclass(frozen=True, slots=True)
class Airdrop:
    """Test money that arrived.

    Attributes:
        balance_lamports: what the address holds now.
    """

    address: Address
    network: str
    lamports: int
    tx_signature: str
    balance_lamports: int


def wallet_new(settings: Settings, name: str | None = None) -> Wallet:
    """Makes a wallet in a file that only the user can read.

    Raises:
        WalletError: there is one of this name, or it cannot be written.
    """
    chosen = name or settings.text("core.wallet") or "default"
    path = wallet_file(settings.home, chosen)
    signer = create_wallet(path)
    return Wallet(chosen, signer.address, path, _is_default(settings, path))


def wallet_show(settings: Settings, name: str | None = None) -> Wallet:
    """Gives a wallet; without a name the one in use.

    Raises:
        WalletError: missing, malformed, or readable by others.
    """
    path = settings.wallet_path(name)
    chosen = name or settings.text("core.wallet") or "default"
    signer = load_wallet(path)
    return Wallet(chosen, signer.address, path, _is_default(settings, path))


def wallet_list(settings: Settings) -> WalletList:
    """Lists the wallets of the user's folder; those that cannot be used apart."""
    wallets, problems = [], []
    for path in sorted((settings.home / "wallets").glob("*.json")):
        try:
            signer = load_wallet(path)
        except WalletError as exc:
            problems.append(WalletProblem(path, str(exc)))
            continue
        default = _is_default(settings, path)
        wallets.append(Wallet(path.stem, signer.address, path, default))
    return WalletList(tuple(wallets), tuple(problems))


def _is_default(settings: Settings, path: Path) -> bool:
    return settings.wallet_path() == path


def wallet_address(settings: Settings, text: str | None) -> Address:
    """Gives an address as it is, or that of a wallet by name or path.

    Raises:
        WalletError: neither an address nor a wallet that can be used.
    """
    if text is None:
        return load_wallet(settings.wallet_path()).address
    try:
        return Address.parse(text)
    except IdentifierInvalid:
        pass
    try:
        path = settings.wallet_path(text)
    except IdentifierInvalid as exc:
        raise IdentifierInvalid("address or wallet", exc.text, exc.reason) from exc
    return load_wallet(path).address


def wallet_balance(ctx: Context, address: Address) -> Balance:
    """Gives what an address holds.

    Raises:
        ChainError: the RPC fails.
    """
    lamports = ctx.chain.rpc.get_balance(address)
    return Balance(address, ctx.network.name, lamports)


def wallet_airdrop(ctx: Context, address: Address, lamports: int) -> Airdrop:
    """Asks a test network for money and waits until it is there.

    Raises:
        Refused: this is not a test network.
        ChainError: the RPC fails or has no faucet.
    """
    if ctx.network.name == "mainnet":
        raise Refused("there is no test money on mainnet")
    signature = ctx.chain.rpc.request_airdrop(address, lamports)
    ctx.chain.wait_for(signature)
    balance = ctx.chain.rpc.get_balance(address)
    return Airdrop(address, ctx.network.name, lamports, str(signature), balance)
