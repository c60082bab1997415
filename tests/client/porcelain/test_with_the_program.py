"""The owner's verbs against the program itself, in LiteSVM."""

from pathlib import Path

import base58
import pytest
from solders.account import Account
from solders.clock import Clock
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import Transaction
from solders.transaction_metadata import FailedTransactionMetadata

import flair_client.chain
from flair_client.chain.accounts import MoveKind, RawAccount, RoundState, Scope
from flair_client.chain.client import ChainClient
from flair_client.chain.errors import PROGRAM_ERRORS
from flair_client.chain.instructions import branch_advance, update_push
from flair_client.chain.pdas import (
    PROGRAM_ID,
    UPGRADEABLE_LOADER_ID,
    find_program_data_pda,
    find_role_pda,
)
from flair_client.chain.sending import TxResult
from flair_client.context import Context
from flair_client.errors import AccountMissing, ProgramRefused, Refused
from flair_client.ids import Address, CommitId, Digest
from flair_client.porcelain.branch import branch_create, branch_list
from flair_client.porcelain.policy import (
    policy_list,
    policy_make,
    policy_params,
    policy_use,
)
from flair_client.porcelain.program import program_init, program_show
from flair_client.porcelain.repo import repo_create, repo_list, repo_show
from flair_client.porcelain.role import role_grant, role_list, role_revoke
from flair_client.porcelain.round import (
    round_abort,
    round_close,
    round_expire,
    round_list,
    round_open,
    round_show,
)
from flair_client.porcelain.target import find_repo
from flair_client.porcelain.update import (
    RejectReason,
    update_list,
    update_reject,
    update_show,
    update_withdraw,
)
from flair_client.settings import NetworkProfile
from flair_client.testing import ADDRESS, ADMIN, ALICE, BOB, HEAD, NO_COMMIT, OWNER

PROGRAM = Path(flair_client.chain.__path__[0]) / "flair.so"
pytestmark = pytest.mark.skipif(
    not PROGRAM.exists(), reason="the program is not built: scripts/build-program"
)
START = 1_800_000_000
GENESIS = base58.b58encode(bytes([5]) * 32).decode()


def pubkey(address):
    return Pubkey.from_bytes(address.raw)


class SvmRpc:
    """Reads straight from LiteSVM."""

    def __init__(self, svm):
        self.svm = svm

    def get_genesis_hash(self):
        return GENESIS

    def get_balance(self, address):
        return self.svm.get_balance(pubkey(address)) or 0

    def get_account(self, address):
        found = self.svm.get_account(pubkey(address))
        if found is None or found.lamports == 0:
            return None
        owner = Address(bytes(found.owner))
        return RawAccount(address, owner, found.lamports, bytes(found.data))

    def get_program_accounts(self, program_id, *, size, filters):
        raws = [
            self.get_account(Address(bytes(key)))
            for key, _ in self.svm.get_program_accounts(pubkey(program_id))
        ]
        return [
            raw
            for raw in raws
            if raw is not None
            and len(raw.data) == size
            and all(raw.data[one.offset :].startswith(one.content) for one in filters)
        ]


class SvmChain(ChainClient):
    """Sends straight into LiteSVM."""

    def __init__(self):
        svm = LiteSVM()
        svm.add_program_from_file(pubkey(PROGRAM_ID), PROGRAM)
        super().__init__(SvmRpc(svm))
        self.svm = svm
        self.now = START
        self.wait(0)
        for signer in (OWNER, ADMIN, ALICE, BOB):
            svm.airdrop(pubkey(signer.address), 10**11)
        authority = bytes([3, *[0] * 11, 1]) + OWNER.address.raw + bytes(8)
        svm.set_account(
            pubkey(find_program_data_pda()[0]),
            Account(10**9, authority, pubkey(UPGRADEABLE_LOADER_ID)),
        )

    def wait(self, seconds):
        self.now += seconds
        slot = self.svm.get_clock().slot + 1
        self.svm.set_clock(Clock(slot, self.now, 0, 0, self.now))
        self.svm.expire_blockhash()

    def send(self, instructions, signers, **_):
        metas = [
            Instruction(
                pubkey(one.program_id),
                one.data,
                [
                    AccountMeta(pubkey(meta.address), meta.is_signer, meta.is_writable)
                    for meta in one.accounts
                ],
            )
            for one in instructions
        ]
        keys = [Keypair.from_bytes(signer.secret_bytes()) for signer in signers]
        self.svm.expire_blockhash()
        blockhash: Hash = self.svm.latest_blockhash()
        message = Message.new_with_blockhash(metas, keys[0].pubkey(), blockhash)
        done = self.svm.send_transaction(Transaction(keys, message, blockhash))
        if isinstance(done, FailedTransactionMetadata):
            number = getattr(getattr(done.err(), "err", None), "code", None)
            name, words = PROGRAM_ERRORS.get(number, ("runtime", str(done.err())))
            raise ProgramRefused(number, name, words)
        return TxResult(str(done.signature()), 0, [], done.compute_units_consumed(), 0)


@pytest.fixture
def svm():
    return SvmChain()


@pytest.fixture
def act(svm):
    """Makes a context in which somebody acts on the program."""
    network = NetworkProfile("localnet", "http://x", None, PROGRAM_ID, "file:///x")

    def make(signer=None):
        return Context(network, svm, None, signer, now=lambda: svm.now)

    return make


@pytest.fixture
def ready(act, svm):
    """A repository with an invited policy, branch `main` and a root."""
    program_init(act(OWNER))
    repo_create(act(OWNER), "heart", points_per_merge=90)
    table = {"round_length": 100, "merge_grace": 50, "min_updates": 2, "max_updates": 2}
    policy_make(act(OWNER), ADDRESS, policy_params(table, n_params=4))
    branch_create(act(OWNER), ADDRESS, "main", first_round=0)
    place = find_repo(act(OWNER), ADDRESS).branch("main")
    root = branch_advance(
        actor=OWNER.address,
        repo=place.repo.address,
        branch=place.address,
        kind=MoveKind.ROOT,
        expected_head=NO_COMMIT,
        expected_seq=0,
        new_head=HEAD,
    )
    act(OWNER).send([root])
    return place


@pytest.fixture
def push(act, ready):
    """Lets somebody with a role push an update."""

    def call(signer):
        ctx = act(signer)
        place = find_repo(ctx, ADDRESS).branch("main")
        role = find_role_pda(place.repo.address, None, signer.address)[0]
        push_it = update_push(
            payer=signer.address,
            contributor=signer.address,
            repo=place.repo.address,
            branch=place.address,
            policy=place.policy_address(place.account.policy_index),
            round_index=place.account.round_index,
            commit_id=CommitId(signer.address.raw),
            expected_base=place.account.head_commit,
            weight=4,
            payload_digest=Digest(bytes([1]) * 32),
            nonce=bytes(16),
            role=role,
        )
        ctx.send([push_it])

    return call


def invite(act, *signers):
    for signer in signers:
        role_grant(act(OWNER), ADDRESS, signer.address, Scope.CONTRIBUTE)


def test_the_program_is_set_up_once_by_its_upgrade_authority(act):
    with pytest.raises(AccountMissing):
        program_show(act())
    with pytest.raises(ProgramRefused) as caught:
        program_init(act(ALICE))
    assert caught.value.name == "NotUpgradeAuthority"

    program_init(act(OWNER), treasury=BOB.address, fee_bps=25)

    shown = program_show(act())
    assert (shown.admin, shown.treasury) == (OWNER.address, BOB.address)
    assert shown.fee_bps == 25
    assert shown.genesis_hash == GENESIS
    with pytest.raises(Refused, match="set up already"):
        program_init(act(OWNER))


def test_a_repository_is_shown_as_it_was_made(act, ready):
    shown = repo_show(act(), ADDRESS)

    assert shown.authority == OWNER.address
    assert shown.points_per_merge == 90
    assert [item.head for item in shown.branches] == [HEAD]
    assert shown.branches[0].round_index == 0
    assert [row.repo for row in repo_list(act(), OWNER.address).repos] == [ADDRESS]
    assert repo_list(act(), ALICE.address).repos == ()


def test_policies_hold_what_was_asked_and_branches_change_them(act, ready):
    params = policy_params({"norm_bound": 3.5, "contribute": "open"}, n_params=9)
    made = policy_make(act(OWNER), ADDRESS, params)

    policy_use(act(OWNER), ADDRESS, "main", made.index)

    listed = policy_list(act(), ADDRESS)
    assert listed.policies[1].params == params
    assert listed.policies[1].norm_bound == 3.5
    assert listed.used_by == {1: ("main",)}
    with pytest.raises(ProgramRefused):
        policy_make(act(ALICE), ADDRESS, params)


def test_an_administrator_acts_with_its_role_and_not_beyond_it(act, ready):
    role_grant(act(OWNER), ADDRESS, ADMIN.address, Scope.ADMINISTER, lasts_s=1000)

    branch_create(act(ADMIN), ADDRESS, "trial")
    role_grant(act(ADMIN), ADDRESS, ALICE.address, Scope.CONTRIBUTE, branch="trial")

    assert [one.name for one in branch_list(act(), ADDRESS).branches] == [
        "main",
        "trial",
    ]
    with pytest.raises(ProgramRefused):
        role_grant(act(ADMIN), ADDRESS, BOB.address, Scope.ADMINISTER)
    with pytest.raises(ProgramRefused) as caught:
        branch_create(act(ADMIN), ADDRESS, "release", protected=True)
    assert caught.value.name in ("NotAuthority", "ProtectedBranch")
    roles = {one.grantee: one for one in role_list(act(), ADDRESS).roles}
    assert roles[ALICE.address].branch == "trial"
    assert roles[ADMIN.address].expires_at == START + 1000


def test_a_revoked_role_gives_its_rent_back(act, svm, ready):
    before = svm.rpc.get_balance(OWNER.address)
    invite(act, ALICE)
    paid = before - svm.rpc.get_balance(OWNER.address)

    role_revoke(act(OWNER), ADDRESS, ALICE.address)

    # All that is left are the fees of two transactions with one signature.
    assert svm.rpc.get_balance(OWNER.address) == before - 2 * 5000
    assert paid > 5000
    with pytest.raises(AccountMissing):
        role_revoke(act(OWNER), ADDRESS, ALICE.address)


def test_a_round_is_opened_filled_and_closed_by_anybody(act, svm, ready, push):
    invite(act, ALICE, BOB)
    opened = round_open(act(BOB), ADDRESS, "main")
    assert (opened.round_index, opened.deadline) == (0, svm.now + 100)
    push(ALICE)
    with pytest.raises(ProgramRefused) as caught:
        round_close(act(BOB), ADDRESS, "main")
    assert caught.value.name == "RoundNotReady"
    push(BOB)

    closed = round_close(act(ADMIN), ADDRESS, "main")

    assert closed.n_accepted == 2
    shown = round_show(act(), ADDRESS, "main")
    assert shown.round.state is RoundState.CLOSED
    assert shown.round.abort_after == svm.now + 50
    order = [one.contributor for one in shown.updates]
    assert order == sorted([ALICE.address, BOB.address])


def test_an_update_is_withdrawn_or_rejected(act, ready, push):
    invite(act, ALICE, BOB)
    round_open(act(BOB), ADDRESS, "main")
    push(ALICE)
    push(BOB)

    update_withdraw(act(ALICE), ADDRESS, "main")
    with pytest.raises(ProgramRefused):
        update_reject(act(ALICE), ADDRESS, "main", BOB.address, RejectReason.NORM)
    update_reject(act(OWNER), ADDRESS, "main", BOB.address, RejectReason.NORM)

    listed = update_list(act(), ADDRESS, "main").updates
    assert [(one.contributor, one.reject_reason) for one in listed] == [
        (BOB.address, "norm")
    ]
    shown = update_show(act(), ADDRESS, "main", BOB.address).update
    assert shown.weight == 4
    with pytest.raises(ProgramRefused):
        push(BOB)


def test_an_aborted_round_is_cleared_and_rent_goes_back(act, svm, ready, push):
    invite(act, ALICE)
    before = svm.rpc.get_balance(ADMIN.address)
    round_open(act(ADMIN), ADDRESS, "main")
    push(ALICE)
    with pytest.raises(ProgramRefused) as caught:
        round_abort(act(BOB), ADDRESS, "main")
    assert caught.value.name == "RoundNotAbortable"
    with pytest.raises(ProgramRefused):
        round_expire(act(BOB), ADDRESS, "main")
    svm.wait(101)

    round_abort(act(BOB), ADDRESS, "main")
    assert round_show(act(), ADDRESS, "main").round.state is RoundState.ABORTED
    cleared = round_expire(act(BOB), ADDRESS, "main")

    assert cleared.n_updates == 1
    assert round_list(act(), ADDRESS, "main").rounds == ()
    assert round_list(act(), ADDRESS, "main").next_round_index == 1
    assert svm.rpc.get_balance(ADMIN.address) == before - 5000


def test_an_empty_round_that_was_overtaken_is_cleared(act, svm, ready):
    round_open(act(ADMIN), ADDRESS, "main")
    place = find_repo(act(OWNER), ADDRESS).branch("main")
    move = branch_advance(
        actor=OWNER.address,
        repo=place.repo.address,
        branch=place.address,
        kind=MoveKind.SNAPSHOT,
        expected_head=HEAD,
        expected_seq=1,
        new_head=CommitId(bytes([9]) * 32),
    )
    act(OWNER).send([move])

    round_expire(act(BOB), ADDRESS, "main")

    assert round_list(act(), ADDRESS, "main").rounds == ()
