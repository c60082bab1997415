"""`flair wallet`: makes and shows wallets."""

import click

from flair_client.cli.command import command, group
from flair_client.cli.output import fields, table
from flair_client.cli.session import App
from flair_client.cli.types import SOL, sol_text
from flair_client.porcelain.wallet import (
    Airdrop,
    Balance,
    Wallet,
    WalletList,
    wallet_address,
    wallet_airdrop,
    wallet_balance,
    wallet_list,
    wallet_new,
    wallet_show,
)


@group("wallet", examples=("flair wallet new", "flair wallet balance"))
def wallet_command() -> None:
    """Makes and shows wallets.

    A wallet is a key file in the form of Solana's own tools. It signs commits and
    transactions; whoever has the file can act as its owner.
    """


@command(
    "new",
    result=Wallet,
    examples=("flair wallet new", "flair wallet new hospital-a"),
)
@click.argument("name", required=False)
def new(app: App, name: str | None) -> None:
    """Makes a wallet in a file that only you can read.

    NAME is a name, or a path to the new file; without it the wallet in use, which is
    `default` where nothing else is set.
    """
    made = wallet_new(app.settings, name)
    app.out.result(made, lambda: f"{made.address}\n{made.path}")
    app.out.note("keep a copy of this file: without it the wallet is lost")


@command(
    "list", result=WalletList, examples=("flair wallet list", "flair wallet ls --json")
)
def list_(app: App) -> None:
    """Lists your wallets; a star marks the one in use."""
    found = wallet_list(app.settings)
    rows = [
        ("*" if item.is_default else "", item.name, item.address)
        for item in found.wallets
    ]
    for problem in found.problems:
        app.out.warn(problem.reason)
    app.out.result(found, lambda: table(("", "NAME", "ADDRESS"), rows) if rows else "")
    if not rows:
        app.out.note("no wallets yet; `flair wallet new` makes one")


@command("show", result=Wallet, examples=("flair wallet show hospital-a",))
@click.argument("name", required=False)
def show(app: App, name: str | None) -> None:
    """Shows a wallet's name, address and file; never its secret."""
    found = wallet_show(app.settings, name)
    app.out.result(
        found,
        lambda: fields(
            (("name", found.name), ("address", found.address), ("file", found.path))
        ),
    )


@command("address", result=Wallet, examples=("flair wallet address hospital-a",))
@click.argument("name", required=False)
def address(app: App, name: str | None) -> None:
    """Prints a wallet's address and nothing else, for scripts."""
    found = wallet_show(app.settings, name)
    app.out.result(found, lambda: str(found.address))


@command(
    "balance",
    result=Balance,
    examples=("flair wallet balance", "flair wallet balance hospital-a"),
)
@click.argument("who", metavar="[NAME|ADDRESS]", required=False)
def balance(app: App, who: str | None) -> None:
    """Shows what a wallet or address holds."""
    whose = wallet_address(app.settings, who)
    found = wallet_balance(app.context(), whose)
    app.out.result(
        found, lambda: f"{sol_text(found.lamports)} ({found.lamports} lamports)"
    )


@command(
    "airdrop",
    result=Airdrop,
    examples=("flair wallet airdrop", "flair wallet airdrop 2.5 --to hospital-a"),
)
@click.argument("amount", type=SOL, metavar="[SOL]", default="10")
@click.option("--to", metavar="NAME|ADDRESS", help="Without it the wallet in use.")
def airdrop(app: App, amount: int, to: str | None) -> None:
    """Asks a test network for money: 10 SOL, where nothing else is said."""
    whose = wallet_address(app.settings, to)
    found = wallet_airdrop(app.context(), whose, amount)
    app.out.result(
        found,
        lambda: (
            f"{found.address} received {sol_text(found.lamports)}, "
            f"holds {sol_text(found.balance_lamports)}"
        ),
    )


for _verb in (new, list_, show, address, balance, airdrop):
    wallet_command.add_command(_verb)
