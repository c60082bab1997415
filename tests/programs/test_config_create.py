import pytest
from program_harness.acts import config_create
from program_harness.call import CONFIG, PROGRAM_DATA, find_bump, wallet
from program_harness.chain import Chain, account_of
from program_harness.protocol import ACCOUNTS
from program_harness.tampering import Case, Scene, check, refusals, spare_address
from program_harness.values import GENESIS
from program_harness.world import Place, make_place


def scene(place: Place):
    return config_create(place.chain)


@refusals("config_create", scene)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


def test_refuses_a_signer_who_is_not_the_upgrade_authority():
    chain = Chain()
    call = config_create(chain).signed_by(admin=chain.party("anyone"))

    chain.expect_refusal(call, "NotUpgradeAuthority")


def test_refuses_a_program_that_nobody_may_upgrade():
    chain = Chain()
    chain.set_program_data(None)

    chain.expect_refusal(config_create(chain), "NotUpgradeAuthority")


def test_refuses_an_authority_behind_an_option_that_is_none():
    chain = Chain()
    data = bytearray(chain.data(PROGRAM_DATA))
    data[12] = 0  # the option's tag; the address behind it is an old one
    chain.put(PROGRAM_DATA, data=bytes(data))

    chain.expect_refusal(config_create(chain), "NotUpgradeAuthority")


@pytest.mark.parametrize("tag", [0, 1, 2, 4])
def test_refuses_another_kind_of_loader_account(tag: int):
    chain = Chain()
    chain.set_program_data(wallet("upgrade authority").pubkey(), tag=tag)

    chain.expect_refusal(config_create(chain), "NotUpgradeAuthority")


@pytest.mark.parametrize("size", [0, 4, 12, 13, 44])
def test_refuses_program_data_that_is_too_short(size: int):
    chain = Chain()
    chain.put(PROGRAM_DATA, data=chain.data(PROGRAM_DATA)[:size])

    chain.expect_refusal(config_create(chain), "NotUpgradeAuthority")


def test_refuses_the_program_data_of_another_program():
    chain = Chain()
    other = spare_address("other program's data")
    chain.put(other, data=chain.data(PROGRAM_DATA), owner=None)
    account = chain.svm.get_account(PROGRAM_DATA)
    chain.put(other, owner=account.owner)

    chain.expect_refusal(
        config_create(chain).with_accounts(program_data=other),
        "NotUpgradeAuthority",
    )


def test_refuses_program_data_that_the_loader_does_not_own():
    chain = Chain()
    chain.put(PROGRAM_DATA, owner=spare_address("loader"))

    chain.expect_refusal(config_create(chain), "NotUpgradeAuthority")


@pytest.mark.parametrize("fee_bps", [1001, 10_000, 65_535])
def test_refuses_a_fee_above_the_cap(fee_bps: int):
    chain = Chain()

    chain.expect_refusal(config_create(chain, fee_bps=fee_bps), "FeeTooHigh")


@pytest.mark.parametrize("pause_bits", [64, 1 << 31, 0xFFFF_FFFF])
def test_refuses_unknown_pause_bits(pause_bits: int):
    chain = Chain()

    chain.expect_refusal(config_create(chain, pause_bits=pause_bits), "UnknownBits")


def test_makes_the_config_and_its_first_event():
    chain = Chain()
    admin = chain.party("upgrade authority")
    before = chain.lamports(admin.pubkey())
    values = {"treasury": wallet("treasury").pubkey(), "fee_bps": 1000}

    event = chain.act(
        config_create(chain, **values, pause_bits=63), chained=CONFIG, actor=admin
    )

    values |= {"admin": admin.pubkey(), "pause_bits": 63, "genesis_tag": GENESIS}
    assert event == ("ConfigCreated", values)
    config = chain.read(CONFIG)
    assert config == account_of(
        "Config",
        bump=find_bump(b"config"),
        event_seq=1,
        history_root=config.history_root,
        **values,
    )
    rent = chain.rent(ACCOUNTS["Config"].size + 8)
    assert chain.lamports(CONFIG) == rent
    assert before - chain.lamports(admin.pubkey()) == rent


def test_makes_the_config_where_somebody_sent_lamports_before():
    chain = Chain()
    chain.svm.airdrop(CONFIG, 1_000_000)

    chain.send(config_create(chain))

    assert chain.lamports(CONFIG) == chain.rent(ACCOUNTS["Config"].size + 8)
