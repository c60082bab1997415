import pytest
from program_harness.acts import config_create, config_set
from program_harness.call import CONFIG, wallet
from program_harness.chain import Chain
from program_harness.tampering import Case, Rules, Scene, check, refusals
from program_harness.values import GENESIS
from program_harness.world import Place, make_place


def scene(place: Place):
    place.chain.send(config_create(place.chain))
    return config_set(place.chain, fee_bps=7)


def make_config() -> Chain:
    chain = Chain()
    chain.send(config_create(chain))
    return chain


@refusals(
    "config_set",
    scene,
    Rules(skip={"alias-config": "the call writes no other account of the program"}),
)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


def test_refuses_a_signer_who_is_not_the_admin():
    chain = make_config()
    call = config_set(chain).signed_by(admin=chain.party("anyone"))

    chain.expect_refusal(call, "NotAuthority")


def test_refuses_the_upgrade_authority_who_is_not_the_admin():
    chain = make_config()
    chain.edit(CONFIG, admin=chain.party("anyone").pubkey())

    chain.expect_refusal(config_set(chain), "NotAuthority")


def test_refuses_the_pending_admin():
    chain = make_config()
    chain.edit(CONFIG, pending_admin=chain.party("anyone").pubkey())
    call = config_set(chain).signed_by(admin=chain.party("anyone"))

    chain.expect_refusal(call, "NotAuthority")


@pytest.mark.parametrize("fee_bps", [1001, 65_535])
def test_refuses_a_fee_above_the_cap(fee_bps: int):
    chain = make_config()

    chain.expect_refusal(config_set(chain, fee_bps=fee_bps), "FeeTooHigh")


@pytest.mark.parametrize("pause_bits", [64, 1 << 31, 0xFFFF_FFFF])
def test_refuses_unknown_pause_bits(pause_bits: int):
    chain = make_config()

    chain.expect_refusal(config_set(chain, pause_bits=pause_bits), "UnknownBits")


def test_refuses_when_the_count_of_events_is_at_its_end():
    chain = make_config()
    chain.edit(CONFIG, event_seq=2**64 - 1)

    chain.expect_refusal(config_set(chain), "Overflow")


def test_the_stored_bump_is_not_used():
    """The address has no variable seed: it is compared with a constant."""
    chain = make_config()
    chain.edit(CONFIG, bump=chain.read(CONFIG).bump ^ 1)

    chain.send(config_set(chain, fee_bps=7))

    assert chain.read(CONFIG).fee_bps == 7


@pytest.mark.parametrize("paused", [0, 63])
def test_changes_treasury_fee_and_pause_bits_only(paused: int):
    chain = make_config()
    chain.edit(CONFIG, pause_bits=paused)
    before = chain.read(CONFIG)
    values = {
        "treasury": wallet("new treasury").pubkey(),
        "fee_bps": 1000,
        "pause_bits": 37,
    }

    event = chain.act(
        config_set(chain, **values),
        chained=CONFIG,
        actor=wallet("upgrade authority"),
    )

    admin = wallet("upgrade authority").pubkey()
    assert event == ("ConfigSet", {"admin": admin, **values, "genesis_tag": GENESIS})
    vars(before).update(
        values, event_seq=2, history_root=chain.read(CONFIG).history_root
    )
    assert chain.read(CONFIG) == before
