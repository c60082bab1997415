"""The program itself: its Config, made once by the upgrade authority."""

from dataclasses import dataclass

import base58

from flair_client.chain.accounts import PauseBits
from flair_client.chain.instructions import config_create
from flair_client.chain.pdas import find_config_pda
from flair_client.context import Context
from flair_client.errors import AccountMissing, Refused
from flair_client.ids import Address, Digest
from flair_client.porcelain.program_deploy import code_on_chain


@dataclass(frozen=True, slots=True)
class ProgramShown:
    """The program and its Config.

    Attributes:
        admin: who may change the Config.
        paused: groups of instructions that are switched off.
        genesis_hash: cluster that the Config was made for.
        code_digest: sha-256 of the code on chain, without the zeros behind it; None
            where another loader holds it.
        code_size: bytes that there is room for.
        upgrade_authority: who may upgrade it; None: nobody.
        deployed_slot: of the last deployment.
    """

    network: str
    program_id: Address
    config: Address
    admin: Address
    treasury: Address
    fee_bps: int
    paused: PauseBits
    genesis_hash: str
    event_seq: int
    history_root: Digest
    code_digest: Digest | None
    code_size: int
    upgrade_authority: Address | None
    deployed_slot: int | None


@dataclass(frozen=True, slots=True)
class ProgramInitialised:
    """A program that is ready for repositories."""

    network: str
    program_id: Address
    config: Address
    admin: Address
    treasury: Address
    fee_bps: int
    tx_signature: str


def program_init(
    ctx: Context, *, treasury: Address | None = None, fee_bps: int = 0
) -> ProgramInitialised:
    """Makes the program's Config for the cluster that the RPC belongs to.

    Raises:
        Refused: there is a Config already.
        ProgramRefused: the wallet is not the program's upgrade authority.
    """
    admin = ctx.wallet.address
    config = find_config_pda(ctx.program_id)[0]
    if _has_config(ctx):
        raise Refused(f"the program on {ctx.network.name!r} is set up already")
    chosen = admin if treasury is None else treasury
    genesis = base58.b58decode(str(ctx.chain.rpc.get_genesis_hash()))
    sent = ctx.send(
        [
            config_create(
                admin=admin,
                treasury=chosen,
                genesis_tag=Digest(genesis),
                fee_bps=fee_bps,
                program_id=ctx.program_id,
            )
        ]
    )
    return ProgramInitialised(
        ctx.network.name,
        ctx.program_id,
        config,
        admin,
        chosen,
        fee_bps,
        str(sent.signature),
    )


def _has_config(ctx: Context) -> bool:
    try:
        ctx.chain.config()
    except AccountMissing:
        return False
    return True


def program_show(ctx: Context) -> ProgramShown:
    """Gives the program's Config.

    Raises:
        AccountMissing: the program is not set up.
    """
    account = ctx.chain.config()
    code = code_on_chain(ctx)
    return ProgramShown(
        network=ctx.network.name,
        program_id=ctx.program_id,
        config=find_config_pda(ctx.program_id)[0],
        admin=account.admin,
        treasury=account.treasury,
        fee_bps=account.fee_bps,
        paused=account.pause_bits,
        genesis_hash=base58.b58encode(account.genesis_tag.raw).decode("ascii"),
        event_seq=account.event_seq,
        history_root=account.history_root,
        code_digest=code.digest if code else None,
        code_size=code.size if code else 0,
        upgrade_authority=code.authority if code else None,
        deployed_slot=code.slot if code else None,
    )
