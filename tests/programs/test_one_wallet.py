"""One wallet pays, acts and receives, and every action fits a legacy transaction.

Elsewhere everybody has another wallet; here an account stands in several places of one
instruction, as it does for most people.
"""

import pytest
from program_harness.acts import config_create, config_set, repo_create
from program_harness.call import CONFIG, Call, wallet
from program_harness.chain import MAX_TRANSACTION, Chain
from program_harness.protocol import ACCOUNTS
from program_harness.values import ADMINISTER, CONTRIBUTE, MERGE, ROOT, SNAPSHOT, digest
from program_harness.world import Place, make_place
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price

ROLES = (
    *("payer", "actor", "creator", "signer", "proposer", "authority", "admin"),
    *("grantee", "applicant", "wallet", "new_authority", "attester"),
)
RECEIVERS = ("rent_payer", "round_payer", "candidate_payer", "invite_payer")


class OneWallet:
    """Sends calls with one wallet in every place, which pays the fee too."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.key = place.owner
        place.chain.sponsor = self.key
        self.sizes: dict[str, int] = {}

    def send(self, call: Call) -> None:
        signers = {name: self.key for name in ROLES if name in call.accounts}
        call = call.signed_by(**signers)
        here = {name: self.key.pubkey() for name in RECEIVERS if name in call.accounts}
        call = call.with_accounts(**here)
        # What a wallet adds on its own counts too.
        budget = (set_compute_unit_limit(200_000), set_compute_unit_price(10))
        receipt = self.place.chain.send(*budget, call)
        self.sizes[call.name] = receipt.size


def one_wallet(**changes) -> OneWallet:
    place = make_place(**changes)
    place.chain.send(config_create(place.chain))
    return OneWallet(place)


def start(one: OneWallet) -> None:
    place = one.place
    one.send(repo_create(place.chain, place.name))
    one.send(place.policy_create())
    one.send(place.branch_create())
    one.send(place.branch_advance(ROOT, digest("root")))
    merged = sorted(digest(f"model {number}") for number in range(16))
    one.send(place.branch_merge(digest("models"), *merged))
    one.send(place.branch_set_policy(0))
    one.send(place.role_grant("a", 15, branch=place.branch))
    one.send(place.role_revoke("a", branch=place.branch))
    one.send(place.invite_create("key", branch=place.branch))
    one.send(place.invite_redeem("key", "owner", branch=place.branch))
    one.send(place.role_revoke("owner", branch=place.branch))
    one.send(place.invite_create("key"))
    one.send(place.invite_revoke("key"))
    one.send(place.join_request("owner", branch=place.branch))
    one.send(place.join_close("owner"))
    one.send(place.delegation_create("owner", "machine"))
    one.send(place.delegation_revoke("owner", "machine"))
    one.send(place.repo_set_sponsor("owner"))
    one.send(place.authority_offer("heir"))
    one.send(place.authority_offer(""))
    one.send(place.round_open())
    one.send(place.update_push("owner"))


def test_one_wallet_goes_from_repository_to_merge():
    one = one_wallet(
        name=b"x" * 64,
        branch_name=b"y" * 64,
        params={"min_updates": 1, "challenge_s": 0},
    )
    place = one.place
    before = place.chain.lamports(one.key.pubkey())
    start(one)
    one.send(place.update_withdraw("owner"))
    one.send(place.update_push("owner"))
    place.chain.wait(3600)
    one.send(place.round_close())
    one.send(place.merge_accumulate(["owner"]))
    one.send(place.merge_propose("one"))
    one.send(place.merge_propose("two"))
    one.send(place.merge_approve("one"))
    one.send(place.merge_finalize("one"))
    one.send(place.merge_expire("two", 1))
    one.send(place.update_settle("owner", 1))

    assert max(one.sizes.values()) <= MAX_TRANSACTION, one.sizes
    kept = ("Repo", "Policy", "Branch", "Contribution")
    rents = sum(place.chain.rent(ACCOUNTS[name].size + 8) for name in kept)
    spent = before - place.chain.lamports(one.key.pubkey())
    fees = spent - rents
    assert 0 < fees < 1_000_000


def test_one_wallet_expires_its_own_round():
    one = one_wallet()
    place = one.place
    start(one)
    one.send(place.update_reject("owner"))
    place.chain.wait(3600)
    one.send(place.round_abort())
    one.send(place.update_expire("owner", 1))

    assert not place.chain.exists(place.find_round(1))


def test_one_wallet_aborts_an_empty_round():
    one = one_wallet()
    place = one.place
    start(one)
    one.send(place.update_withdraw("owner"))
    place.chain.wait(3600)
    one.send(place.round_abort())

    assert not place.chain.exists(place.find_round(1))


def test_an_admin_sets_the_config_with_its_own_fee():
    chain = Chain()
    chain.sponsor = chain.party("upgrade authority")
    chain.send(config_create(chain))
    chain.send(config_set(chain))

    assert chain.read(CONFIG).event_seq == 2


@pytest.mark.parametrize("n_updates", [1, 8, 20])
def test_a_batch_of_updates_fits(n_updates: int):
    place = make_place(params={"max_updates": 64})
    names = [f"hospital {number}" for number in range(n_updates)]
    place.params["min_updates"] = 1
    place.closed(names)
    order = sorted(names, key=lambda who: bytes(wallet(who).pubkey()))

    receipt = place.chain.send(place.merge_accumulate(order))

    assert receipt.size <= MAX_TRANSACTION


@pytest.mark.parametrize("scope", [ADMINISTER, MERGE, CONTRIBUTE])
def test_calls_with_a_role_fit(scope: int):
    place = make_place(name=b"x" * 64, branch_name=b"y" * 64)
    place.params["contribute"] = 1
    calls = {
        ADMINISTER: lambda: (place.created().policy_create(), "actor"),
        CONTRIBUTE: lambda: (place.opened().update_push("helper"), "signer"),
        MERGE: lambda: (place_closed(place).merge_propose(), "proposer"),
    }
    call, signer = calls[scope]()
    call = place.with_role(call, "helper", scope, signer=signer)

    receipt = place.chain.send(
        set_compute_unit_limit(200_000), set_compute_unit_price(10), call
    )

    assert receipt.size <= MAX_TRANSACTION


def place_closed(place: Place) -> Place:
    place.params["contribute"] = 0
    return place.closed()


def test_a_role_holder_pays_for_itself():
    place = make_place().rooted()
    call = place.with_role(place.branch_advance(SNAPSHOT, digest("x")), "helper", 8)
    place.chain.sponsor = place.chain.party("helper")

    place.chain.send(call)

    assert place.head == digest("x")


def test_an_attester_pays_for_itself_and_closes_what_it_made():
    place = make_place().proposed()
    chain, attester = place.chain, place.chain.party("attester")
    attest = place.merge_attest("attester").signed_by(payer=attester)
    chain.sponsor = attester
    chain.send(attest)
    chain.send(place.merge_finalize())
    expire = place.attestation_expire("attester").signed_by(actor=attester)

    chain.send(expire.with_accounts(rent_payer=attester.pubkey()))

    assert not chain.exists(attest.accounts["attestation"])
