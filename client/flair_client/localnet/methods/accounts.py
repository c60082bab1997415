"""Methods that read accounts."""

from typing import Any, Final

from flair_client.localnet.account_views import View, read_filters
from flair_client.localnet.methods.registry import Node, method, with_context
from flair_client.localnet.params import (
    Params,
    check_context_slot,
    option_flag,
    parse_address,
)

_ACCOUNTS_LIMIT: Final = 100


@method("getBalance", 2, least=1)
def get_balance(node: Node, params: Params) -> dict[str, Any]:
    """An address's lamports."""
    address = params.address(0)
    check_context_slot(params.options(1), node.bank.clock.now().slot)
    return with_context(node, node.bank.balance(address))


@method("getAccountInfo", 2, least=1)
def get_account_info(node: Node, params: Params) -> dict[str, Any]:
    """An account, or null."""
    address = params.address(0)
    options = params.options(1)
    check_context_slot(options, node.bank.clock.now().slot)
    view = View.read(options)
    account = node.bank.account(address)
    return with_context(node, None if account is None else view.show(account))


@method("getMultipleAccounts", 2, least=1)
def get_multiple_accounts(node: Node, params: Params) -> dict[str, Any]:
    """Accounts in the order asked for, null where there is none."""
    addresses = [parse_address(one) for one in params.array(0, _ACCOUNTS_LIMIT)]
    options = {"encoding": "base64", **params.options(1)}
    check_context_slot(options, node.bank.clock.now().slot)
    view = View.read(options)
    found = [node.bank.account(one) for one in addresses]
    return with_context(
        node, [None if one is None else view.show(one) for one in found]
    )


@method("getProgramAccounts", 2, least=1)
def get_program_accounts(node: Node, params: Params) -> Any:
    """A program's accounts that pass all filters, by address."""
    program_id = params.address(0)
    options = params.options(1)
    check_context_slot(options, node.bank.clock.now().slot)
    view = View.read(options)
    filters = read_filters(options)
    found = [
        {"pubkey": str(account.address), "account": view.show(account)}
        for account in node.bank.program_accounts(program_id)
        if all(one.fits(account) for one in filters)
    ]
    return with_context(node, found) if option_flag(options, "withContext") else found
