"""Puts the program on chain, or a newer version of it, by the upgradeable loader."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flair_client.chain import loader
from flair_client.chain.pdas import UPGRADEABLE_LOADER_ID, find_program_data_pda
from flair_client.chain.uploading import missing_parts, upload
from flair_client.context import Context
from flair_client.errors import ProgramRefused, Refused, VerificationError
from flair_client.ids import Address, Digest

if TYPE_CHECKING:
    from flair_client.chain.signer import Signer

_FEE_LAMPORTS = 5000
# A next slot comes soon.
_SLOT_POLL_S = 0.2
_SLOT_POLLS = 50


@dataclass(frozen=True, slots=True)
class CodeOnChain:
    """The code of a program as it is on chain.

    Attributes:
        digest: sha-256 of it, without the zeros behind it.
        size: bytes that there is room for.
        slot: of the last deployment.
        authority: who may upgrade it; None: nobody.
    """

    digest: Digest
    size: int
    slot: int
    authority: Address | None


@dataclass(frozen=True, slots=True)
class ProgramDeployed:
    """What was done, or would be.

    Attributes:
        action: `deploy`, `upgrade`, or `nothing` where this code is there already.
        authority: who may upgrade it from now on.
        buffer: where the code is gathered.
        bytes_sent, bytes_there: of the code, by this run and before it.
        rent_lamports: held by the program for good, beyond what it holds already.
        buffer_lamports: needed on the way, and given back at the end.
        fee_lamports: for transactions, as far as can be told beforehand.
        is_dry_run: nothing was sent.
    """

    network: str
    program_id: Address
    action: str
    digest: Digest
    size: int
    authority: Address
    buffer: Address
    bytes_sent: int
    bytes_there: int
    rent_lamports: int
    buffer_lamports: int
    fee_lamports: int
    is_dry_run: bool


def code_on_chain(
    ctx: Context, program_id: Address | None = None
) -> CodeOnChain | None:
    """Gives a program's code on chain; None where the upgradeable loader holds none."""
    chosen = program_id or ctx.program_id
    raw = ctx.chain.rpc.get_account(chosen)
    if raw is None or raw.owner != UPGRADEABLE_LOADER_ID:
        return None
    loader.read_pointer(raw)
    data = ctx.chain.rpc.get_account(find_program_data_pda(chosen)[0])
    if data is None:
        return None
    found = loader.read_code(data)
    digest = loader.code_digest(found.code)
    return CodeOnChain(digest, len(found.code), found.slot, found.authority)


def program_deploy(
    ctx: Context,
    code: bytes,
    *,
    program_key: "Signer | None" = None,
    dry_run: bool = False,
) -> ProgramDeployed:
    """Deploys code, or upgrades the program to it; goes on where it was cut off.

    Args:
        ctx: its wallet pays and is the upgrade authority.
        code: an ELF file.
        program_key: the program's own key, for the first deployment; without it the
            address is that of the network's profile.
        dry_run: only tell what it would cost.

    Raises:
        Refused: another wallet is the upgrade authority, or the key is missing.
        VerificationError: what is on chain afterwards is not this code.
    """
    program_id = ctx.program_id if program_key is None else program_key.address
    before = code_on_chain(ctx, program_id)
    plan = _plan(ctx, code, program_id, before, is_dry_run=dry_run)
    if before is not None and before.authority != plan.authority:
        held = before.authority or "nobody"
        raise Refused(f"the upgrade authority of {program_id} is {held}")
    if before is None and program_key is None:
        raise Refused(f"the first deployment needs the key of {program_id}")
    if dry_run or plan.action == "nothing":
        return plan
    _fill_buffer(ctx, code, plan)
    if before is None and program_key is not None:
        _deploy(ctx, code, plan, program_key)
    elif before is not None:
        _upgrade(ctx, code, plan, before)
    after = _wait_for_next_slot(ctx, program_id)
    if after is None or after.digest != plan.digest:
        raise VerificationError(
            f"program {program_id}", "is not the code that was sent"
        )
    return plan


def _plan(
    ctx: Context,
    code: bytes,
    program_id: Address,
    before: CodeOnChain | None,
    *,
    is_dry_run: bool,
) -> ProgramDeployed:
    rpc, wallet = ctx.chain.rpc, ctx.wallet.address
    buffer, _ = loader.find_buffer(wallet, code)
    raw = rpc.get_account(buffer)
    held = b"" if raw is None else loader.read_buffer(raw).code
    parts = missing_parts(code, held)
    n_left = sum(len(part) for _, part in parts)
    digest = loader.code_digest(code)
    is_there = before is not None and before.digest == digest
    rent_of = rpc.get_minimum_balance_for_rent_exemption
    rent = rent_of(loader.DATA_HEADER + len(code))
    if before is None:
        rent += rent_of(loader.PROGRAM_SIZE)
    else:
        rent = rent_of(loader.DATA_HEADER + _room(code, before))
        rent -= rent_of(loader.DATA_HEADER + before.size)
    return ProgramDeployed(
        network=ctx.network.name,
        program_id=program_id,
        action="nothing" if is_there else "upgrade" if before else "deploy",
        digest=digest,
        size=len(code),
        authority=wallet,
        buffer=buffer,
        bytes_sent=0 if is_there else n_left,
        bytes_there=len(code) - n_left,
        rent_lamports=0 if is_there else rent,
        buffer_lamports=0 if is_there else rent_of(loader.BUFFER_HEADER + len(code)),
        # The buffer, its parts, and the end of it.
        fee_lamports=0 if is_there else (len(parts) + 3) * _FEE_LAMPORTS,
        is_dry_run=is_dry_run,
    )


def _room(code: bytes, before: CodeOnChain) -> int:
    """Gives the bytes that a program needs room for, by the loader's steps."""
    more = len(code) - before.size
    return before.size + (0 if more <= 0 else max(more, loader.LEAST_EXTENSION))


def _fill_buffer(ctx: Context, code: bytes, plan: ProgramDeployed) -> None:
    rpc = ctx.chain.rpc
    if rpc.get_account(plan.buffer) is None:
        made = loader.buffer_create(ctx.wallet.address, code, plan.buffer_lamports)
        ctx.chain.send(made, [ctx.wallet])
    with ctx.progress.task("program", len(code), "bytes") as task:
        upload(rpc, ctx.wallet, plan.buffer, code, task.advance)


def _deploy(
    ctx: Context, code: bytes, plan: ProgramDeployed, program_key: "Signer"
) -> None:
    wallet = ctx.wallet.address
    rent = ctx.chain.rpc.get_minimum_balance_for_rent_exemption(loader.PROGRAM_SIZE)
    ctx.chain.send(
        [
            loader.program_create(wallet, plan.program_id, rent),
            loader.program_deploy(wallet, plan.program_id, plan.buffer, len(code)),
        ],
        [ctx.wallet, program_key],
    )


def _upgrade(
    ctx: Context, code: bytes, plan: ProgramDeployed, before: CodeOnChain
) -> None:
    wallet = ctx.wallet.address
    if len(code) > before.size:
        _extend(ctx, plan.program_id, _room(code, before) - before.size)
        _wait_for_next_slot(ctx, plan.program_id)
    ctx.chain.send(
        [loader.program_upgrade(wallet, plan.program_id, plan.buffer)], [ctx.wallet]
    )


def _extend(ctx: Context, program_id: Address, more: int) -> None:
    wallet = ctx.wallet.address
    try:
        made = loader.program_extend(wallet, program_id, more)
        ctx.chain.send([made], [ctx.wallet])
    except ProgramRefused as exc:
        # A cluster knows one of two instructions, by its version.
        if exc.name != "InvalidInstructionData":
            raise
        made = loader.program_extend_unchecked(wallet, program_id, more)
        ctx.chain.send([made], [ctx.wallet])


def _wait_for_next_slot(ctx: Context, program_id: Address) -> CodeOnChain | None:
    """Gives a program's code once the slot of its last change is over.

    The loader takes one change of a program a slot, extending it is one, and new code
    runs from the next slot on.
    """
    rpc = ctx.chain.rpc
    found = code_on_chain(ctx, program_id)
    for _ in range(_SLOT_POLLS):
        if found is None or rpc.get_slot() > found.slot + 1:
            break
        rpc.sleep(_SLOT_POLL_S)
    return found
