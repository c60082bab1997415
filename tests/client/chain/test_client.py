"""Typed reads and sent instructions, against a node that lies about accounts."""

from dataclasses import replace

import base58
import pytest

from flair_client.chain.accounts import (
    AttestationAccount,
    BranchAccount,
    ConfigAccount,
    ContributionAccount,
    PauseBits,
    account_size,
    encode_account,
)
from flair_client.chain.client import ChainClient
from flair_client.chain.events import (
    EVENT_PREFIX,
    EVENT_TAG,
    RoundClosed,
    encode_event,
    event_root,
)
from flair_client.chain.instructions import repo_create
from flair_client.chain.own_address import own_address
from flair_client.chain.pdas import (
    PROGRAM_ID,
    find_attestation_pda,
    find_branch_pda,
    find_candidate_pda,
    find_config_pda,
    find_contribution_pda,
    find_delegation_pda,
    find_event_authority_pda,
    find_invite_pda,
    find_join_request_pda,
    find_policy_pda,
    find_repo_pda,
    find_role_pda,
    find_round_pda,
    find_update_pda,
)
from flair_client.errors import AccountInvalid, AccountMissing, VerificationError
from flair_client.ids import Address, CommitId, Digest
from flair_client.testing import (
    ALICE,
    BOB,
    HEAD,
    MAIN,
    NOW,
    OWNER,
    REPO,
    make_branch,
    make_candidate,
    make_delegation,
    make_invite,
    make_join_request,
    make_policy,
    make_repo,
    make_role,
    make_round,
    make_update,
)

OTHER_PROGRAM = Address(b"\x33" * 32)
CONFIG = ConfigAccount(
    bump=254,
    admin=OWNER.address,
    pending_admin=Address(bytes(32)),
    treasury=OWNER.address,
    fee_bps=5,
    pause_bits=PauseBits(0),
    mode_bits=1,
    genesis_tag=Digest(b"\1" * 32),
    event_seq=1,
    history_root=Digest(b"\2" * 32),
)
CONTRIBUTION = ContributionAccount(
    bump=254,
    repo=REPO,
    contributor=ALICE.address,
    updates=1,
    merges=1,
    points=100,
    reward_debt=0,
    claimed=0,
)


@pytest.fixture
def chain(rpc):
    return ChainClient(rpc)


@pytest.fixture
def holds(node):
    """Puts accounts on the node's chain, each at its own address or another."""
    at = {}

    def put(*accounts, where=None, owner=PROGRAM_ID, **changes):
        for account in accounts:
            address = where or own_address(account)
            at[str(address)] = node.account(encode_account(account), owner, **changes)

    def program_accounts(_program, options):
        size = options["filters"][0]["dataSize"]
        return [
            {"pubkey": address, "account": account}
            for address, account in at.items()
            if account["space"] == size
        ]

    node.script["getAccountInfo"] = lambda one, _options: node.framed(at.get(one))
    node.script["getProgramAccounts"] = program_accounts
    return put


def make_attestation(attester, **changes):
    """Gives an attestation of the merge that BOB proposed, in epoch 3."""
    voted = make_candidate()
    values = {
        "bump": 255,
        "repo": REPO,
        "branch": MAIN,
        "candidate": find_candidate_pda(voted.round, voted.commit_id)[0],
        "attester": attester.address,
        "rent_payer": attester.address,
        "round_index": voted.round_index,
        "commit_id": voted.commit_id,
        "authority_epoch": 3,
        "attested_at": NOW,
    }
    return AttestationAccount(**(values | changes))


def test_every_account_is_read_at_its_own_address(chain, holds):
    update, candidate = make_update(ALICE), make_candidate()
    role, one_round = make_role(ALICE), make_round()
    branch_role = make_role(BOB, branch=MAIN)
    holds(CONFIG, CONTRIBUTION, make_repo(), make_branch(), make_policy(), role)
    vote = make_attestation(BOB)
    holds(branch_role, one_round, update, candidate, vote)
    where = find_round_pda(MAIN, 1)[0]

    assert chain.config() == CONFIG
    assert chain.repo(REPO) == make_repo()
    assert chain.branch(REPO, "main") == make_branch()
    assert chain.policy(REPO, 0).params == make_policy().params
    assert chain.round(MAIN, 1) == one_round
    assert chain.update(where, ALICE.address) == update
    assert chain.role_for(REPO, None, ALICE.address) == role
    assert chain.role_for(REPO, MAIN, BOB.address) == branch_role
    assert chain.candidate(where, candidate.commit_id) == candidate
    assert chain.attestation(vote.candidate, 3, BOB.address) == vote
    assert chain.attestation(vote.candidate, 4, BOB.address) is None
    assert chain.attestations(vote.candidate) == [vote]
    assert chain.branch_attestations(MAIN) == [vote]
    assert chain.contribution(REPO, ALICE.address) == CONTRIBUTION


def test_the_address_of_each_account_follows_from_its_seeds():
    where = find_round_pda(MAIN, 1)[0]
    assert own_address(CONFIG) == find_config_pda()[0]
    assert own_address(make_repo()) == find_repo_pda(OWNER.address, "heart")[0]
    assert own_address(make_policy(3)) == find_policy_pda(REPO, 3)[0]
    assert own_address(make_branch("x")) == find_branch_pda(REPO, "x")[0]
    assert own_address(make_round(2)) == find_round_pda(MAIN, 2)[0]
    assert own_address(make_role(BOB)) == find_role_pda(REPO, None, BOB.address)[0]
    assert own_address(make_update(BOB)) == find_update_pda(where, BOB.address)[0]
    assert (
        own_address(make_candidate())
        == find_candidate_pda(where, CommitId(b"\x08" * 32))[0]
    )
    voted = find_candidate_pda(where, CommitId(b"\x08" * 32))[0]
    assert (
        own_address(make_attestation(BOB))
        == find_attestation_pda(voted, 3, BOB.address)[0]
    )
    assert own_address(CONTRIBUTION) == find_contribution_pda(REPO, ALICE.address)[0]
    alice, bob = ALICE.address, BOB.address
    assert own_address(make_invite(BOB)) == find_invite_pda(REPO, bob)[0]
    assert own_address(make_join_request(BOB)) == find_join_request_pda(REPO, bob)[0]
    delegation = make_delegation(ALICE, BOB)
    assert own_address(delegation) == find_delegation_pda(REPO, alice, bob)[0]
    with pytest.raises(TypeError, match="str is no account"):
        own_address("x")


def test_who_joins_and_who_acts_for_whom_is_read(chain, holds):
    late, soon = make_invite(ALICE, expires_at=9), make_invite(BOB, expires_at=8)
    second, first = make_join_request(ALICE, requested_at=2), make_join_request(BOB)
    first = replace(first, requested_at=1)
    delegation = make_delegation(ALICE, BOB)
    holds(late, soon, second, first, delegation)

    assert chain.invites(REPO) == [soon, late]
    assert chain.invite(REPO, BOB.address) == soon
    assert chain.invite(REPO, OWNER.address) is None
    assert chain.join_requests(REPO) == [first, second]
    assert chain.join_request(REPO, ALICE.address) == second
    assert chain.join_request(REPO, OWNER.address) is None
    assert chain.delegations(REPO) == [delegation]
    assert chain.delegation(REPO, ALICE.address, BOB.address) == delegation
    assert chain.delegation(REPO, BOB.address, ALICE.address) is None


def test_what_is_not_there_is_missing_or_none(chain, holds):
    where = find_round_pda(MAIN, 1)[0]

    for ask, kind in (
        (chain.config, "config"),
        (lambda: chain.repo(REPO), "repo"),
        (lambda: chain.branch(REPO, "main"), "branch"),
        (lambda: chain.policy(REPO, 0), "policy"),
    ):
        with pytest.raises(AccountMissing, match=f"there is no {kind} at "):
            ask()
    assert chain.round(MAIN, 1) is None
    assert chain.update(where, ALICE.address) is None
    assert chain.role_for(REPO, None, ALICE.address) is None
    assert chain.candidate(where, HEAD) is None
    assert chain.contribution(REPO, ALICE.address) is None


def test_another_repositorys_account_in_its_place_is_refused(chain, holds):
    holds(make_repo(name="lungs"), where=REPO)

    with pytest.raises(AccountInvalid, match="belong to another address") as caught:
        chain.repo(REPO)

    assert caught.value.address == REPO


@pytest.mark.parametrize(
    "swapped",
    [
        make_branch("other"),
        make_branch(repo=Address(b"\x66" * 32)),
    ],
)
def test_another_branch_in_its_place_is_refused(chain, holds, swapped):
    holds(swapped, where=MAIN)

    with pytest.raises(AccountInvalid, match="belong to another address"):
        chain.branch(REPO, "main")


@pytest.mark.parametrize(
    "swapped",
    [
        make_update(BOB),
        make_update(ALICE, round=find_round_pda(MAIN, 2)[0]),
    ],
)
def test_another_update_in_its_place_is_refused(chain, holds, swapped):
    where = find_round_pda(MAIN, 1)[0]
    holds(swapped, where=find_update_pda(where, ALICE.address)[0])

    with pytest.raises(AccountInvalid, match="belong to another address"):
        chain.update(where, ALICE.address)


def test_an_account_of_another_kind_in_its_place_is_refused(chain, holds):
    holds(make_branch(), where=REPO)

    with pytest.raises(AccountInvalid):
        chain.repo(REPO)


def test_an_account_of_another_program_is_refused(chain, holds):
    holds(make_repo(), owner=OTHER_PROGRAM)

    with pytest.raises(AccountInvalid, match="own"):
        chain.repo(REPO)


def test_an_account_that_declares_more_than_it_has_is_refused(chain, holds):
    holds(make_repo(), space=10**15)

    with pytest.raises(AccountInvalid, match="not as long as the RPC says"):
        chain.repo(REPO)


def test_lists_come_sorted(chain, holds):
    holds(make_branch("b"), make_branch("a"))
    holds(*(make_update(who, weight) for who, weight in ((ALICE, 1), (BOB, 4))))
    holds(make_repo(), make_repo(name="a"))
    holds(make_round(2), make_round(1))
    holds(make_role(ALICE), make_role(BOB))
    late, early = make_candidate(proposed_at=9), make_candidate(proposed_at=8)
    holds(late)
    where = find_round_pda(MAIN, 1)[0]

    assert [one.name for one in chain.branches(REPO)] == ["a", "b"]
    assert [one.weight for one in chain.updates(where)] == [4, 1]
    assert [one.name for one in chain.repos(OWNER.address)] == ["a", "heart"]
    assert [one.round_index for one in chain.rounds(MAIN)] == [1, 2]
    assert len(chain.roles(REPO)) == 2
    assert chain.candidates(where) == chain.branch_candidates(MAIN) == [late]
    holds(early)
    assert chain.candidates(where) == [early]


def test_a_list_is_asked_for_by_kind_and_parent(chain, node):
    node.script["getProgramAccounts"] = []

    assert chain.branches(REPO) == []

    program, options = node.asked[-1][1]
    assert program == str(PROGRAM_ID)
    size, kind, parent = options["filters"]
    assert size == {"dataSize": account_size(BranchAccount)}
    assert kind["memcmp"]["offset"] == 0
    assert parent["memcmp"]["bytes"] != kind["memcmp"]["bytes"]


def test_an_account_of_another_parent_in_a_list_is_refused(chain, holds):
    holds(make_branch(repo=Address(b"\x66" * 32)))

    with pytest.raises(AccountInvalid, match="not one of the accounts asked for"):
        chain.branches(REPO)


def test_an_account_in_two_versions_is_refused(chain, node):
    entries = [
        {
            "pubkey": str(MAIN),
            "account": node.account(encode_account(one), PROGRAM_ID),
        }
        for one in (make_branch(), make_branch(head_seq=9))
    ]
    node.script["getProgramAccounts"] = entries

    with pytest.raises(AccountInvalid, match="given in two versions"):
        chain.branches(REPO)
    node.script["getProgramAccounts"] = entries[:1] * 2
    assert chain.branches(REPO) == [make_branch()]


# Sending, and the history of events.


def event(number, **changes):
    values = {
        "repo": REPO,
        "repo_seq": number,
        "prev_root": event_root(event(number - 1)) if number > 1 else Digest(bytes(32)),
        "unix_timestamp": 1,
        "actor": OWNER.address,
        "branch": MAIN,
        "round_index": 1,
        "n_accepted": 2,
        "weight_sum": 3,
    }
    return encode_event(RoundClosed(**(values | changes)))


def tx_json(signature, *events):
    authority = str(find_event_authority_pda()[0])
    inner = [
        {
            "programIdIndex": 0,
            "accounts": [1],
            "data": base58.b58encode(EVENT_TAG + one).decode(),
            "stackHeight": 2,
        }
        for one in events
    ]
    return {
        "slot": 5,
        "transaction": {
            "signatures": [signature],
            "message": {
                "accountKeys": [str(PROGRAM_ID), authority],
                "instructions": [{"programIdIndex": 0, "accounts": [], "data": ""}],
            },
        },
        "meta": {
            "err": None,
            "fee": 5000,
            "innerInstructions": [{"index": 0, "instructions": inner}],
        },
    }


def test_a_sent_transaction_publishes_its_events(chain, node):
    first, second = event(1), event(2)
    sent = {}

    def take(wire, _options):
        sent["signature"] = "3" * 88
        return "3" * 88

    status = {"slot": 5, "err": None, "confirmationStatus": "finalized"}
    node.script |= {
        "getLatestBlockhash": node.framed(
            {"blockhash": str(REPO), "lastValidBlockHeight": 9}
        ),
        "sendTransaction": take,
        "getSignatureStatuses": node.framed([status]),
        "getTransaction": lambda signature, _options: tx_json(signature, first, second),
    }
    published = []

    result = chain.send(
        [
            repo_create(
                payer=OWNER.address,
                creator=OWNER.address,
                name="heart",
                points_per_merge=1,
            )
        ],
        [OWNER],
        publish=published.append,
    )

    assert result.events == [first, second]
    assert published == [EVENT_PREFIX + first, EVENT_PREFIX + second]


@pytest.fixture
def history(node, holds):
    """Gives the node a history: (signature, error, events), newest first.

    The repository's account counts up to `newest`.
    """

    def write(*transactions, newest):
        root = event_root(event(newest))
        holds(make_repo(event_seq=newest, history_root=root))
        entries = [
            {"signature": signature, "slot": 5, "err": err}
            for signature, err, _ in transactions
        ]
        by_signature = {
            signature: tx_json(signature, *events)
            for signature, _, events in transactions
        }

        def page(_address, options):
            names = [one["signature"] for one in entries]
            start = names.index(options["before"]) + 1 if "before" in options else 0
            return entries[start : start + options["limit"]]

        node.script["getSignaturesForAddress"] = page
        node.script["getTransaction"] = lambda one, _options: by_signature[one]

    return write


def signature(n):
    return str(n % 8 + 1) * 80 + f"{n:08}".replace("0", "9")


def test_events_come_in_order_from_the_newest_back_to_the_known_one(
    chain, node, history
):
    history(
        (signature(4), None, [event(4), event(5)]),
        (signature(3), {"InstructionError": [0, {"Custom": 6014}]}, [event(99)]),
        (signature(2), None, [event(3)]),
        (signature(1), None, [event(2), event(1, repo=MAIN)]),
        (signature(0), None, [event(1)]),
        newest=5,
    )

    assert chain.events_since(REPO, 0) == [event(n) for n in range(1, 6)]
    assert chain.events_since(REPO, 5) == []
    asked = len(node.asked)
    assert chain.events_since(REPO, 3) == [event(4), event(5)]
    # The account, one page, one transaction.
    assert len(node.asked) == asked + 3


def test_a_long_history_comes_in_pages(chain, node, history, monkeypatch):
    monkeypatch.setattr("flair_client.chain.history._PAGE", 2)
    history(*((signature(n), None, [event(n)]) for n in range(7, 0, -1)), newest=7)

    assert chain.events_since(REPO, 0) == [event(n) for n in range(1, 8)]
    assert node.count("getSignaturesForAddress") == 4


def test_a_hole_in_the_history_names_the_event(chain, history):
    history(
        (signature(3), None, [event(3)]), (signature(1), None, [event(1)]), newest=3
    )

    with pytest.raises(VerificationError, match="event 2: missing"):
        chain.events_since(REPO, 0)
    assert chain.found_events(REPO, 0) == [event(1), event(3)]


def test_the_newest_events_cannot_be_left_out(chain, history):
    history(
        (signature(2), None, [event(2)]), (signature(1), None, [event(1)]), newest=4
    )

    for seq in (0, 2, 3):
        with pytest.raises(VerificationError, match="event 4: missing"):
            chain.events_since(REPO, seq)
    assert chain.events_since(REPO, 4) == []
    assert chain.found_events(REPO, 0) == [event(1), event(2)]


def test_a_history_without_any_event_is_not_the_account_s(chain, history):
    history(newest=1)

    with pytest.raises(VerificationError, match="event 1: missing"):
        chain.events_since(REPO, 0)


@pytest.mark.parametrize("invented", [1, 2, 3])
def test_an_invented_event_is_named_by_the_root(chain, history, invented):
    events = [event(n, n_accepted=9 if n == invented else 2) for n in (3, 2, 1)]
    history(*((signature(n), None, [one]) for n, one in enumerate(events)), newest=3)

    with pytest.raises(VerificationError, match=f"event {invented}: is not what"):
        chain.events_since(REPO, 0)


def test_events_that_the_account_does_not_count_yet_are_left_out(chain, history):
    history(*((signature(n), None, [event(n)]) for n in (3, 2, 1)), newest=2)

    assert chain.events_since(REPO, 0) == [event(1), event(2)]


def test_events_of_the_config_are_compared_with_its_own_root(
    chain, node, history, holds
):
    address = find_config_pda()[0]
    one = event(1, repo=address)
    history((signature(1), None, [one]), newest=1)
    holds(replace(CONFIG, event_seq=1, history_root=event_root(one)))

    assert chain.events_since(address, 0) == [one]

    holds(replace(CONFIG, event_seq=2, history_root=event_root(one)))
    with pytest.raises(VerificationError, match="event 2: missing"):
        chain.events_since(address, 0)


def test_an_event_in_two_versions_is_refused(chain, history):
    history(
        (signature(3), None, [event(2)]),
        (signature(2), None, [event(2, n_accepted=7)]),
        newest=2,
    )

    with pytest.raises(VerificationError, match="event 2: given in two versions"):
        chain.events_since(REPO, 0)


def test_a_history_that_goes_in_circles_is_refused(chain, node, history, monkeypatch):
    monkeypatch.setattr("flair_client.chain.history._PAGE", 2)
    history(
        (signature(9), None, [event(9)]), (signature(8), None, [event(8)]), newest=9
    )
    page = [{"signature": signature(n), "slot": 5, "err": None} for n in (9, 8)]
    node.script["getSignaturesForAddress"] = page

    with pytest.raises(VerificationError, match="comes twice"):
        chain.events_since(REPO, 0)


def test_a_known_transaction_that_the_node_does_not_give_holds_the_walk_up(
    chain, node, history
):
    history((signature(1), None, [event(1)]), newest=1)
    node.script["getTransaction"] = (None, None, tx_json(signature(1), event(1)))

    assert chain.events_since(REPO, 0) == [event(1)]
