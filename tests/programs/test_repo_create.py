import pytest
from program_harness.acts import config_create, repo_create
from program_harness.call import CONFIG, find_bump
from program_harness.chain import Chain, account_of
from program_harness.protocol import ACCOUNTS
from program_harness.refusal import SEEDS
from program_harness.spot import find_repo
from program_harness.tampering import Case, Scene, check, refusals
from program_harness.values import BAD_NAMES, GOOD_NAMES, digest
from program_harness.world import Place, make_place


def scene(place: Place):
    place.chain.send(config_create(place.chain))
    return repo_create(place.chain, place.name)


def make_config() -> Chain:
    chain = Chain()
    chain.send(config_create(chain))
    return chain


@refusals("repo_create", scene)
def test_refuses_wrong_accounts(case: Case, scene: Scene):
    check(case, scene, make_place())


@pytest.mark.parametrize("name", BAD_NAMES)
def test_refuses_names_outside_the_alphabet(name: bytes):
    chain = make_config()

    # Bytes that are no text may be refused when the arguments are read.
    chain.expect_refusal(repo_create(chain, name), "NameInvalid")


@pytest.mark.parametrize("length", [65, 66, 255, 256])
def test_refuses_names_that_are_too_long(length: int):
    chain = make_config()

    chain.expect_refusal(repo_create(chain, b"x" * length), "NameInvalid")


def test_refuses_the_address_of_another_name():
    chain = make_config()
    call = repo_create(chain, b"heart").with_arguments(name=b"lung")

    chain.expect_refusal(call, SEEDS)


def test_refuses_the_address_of_another_creator():
    chain = make_config()
    call = repo_create(chain).signed_by(creator=chain.party("anyone"))

    chain.expect_refusal(call, SEEDS)


def test_refuses_while_paused():
    chain = make_config()
    chain.edit(CONFIG, pause_bits=1)

    chain.expect_refusal(repo_create(chain), "Paused")


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_makes_a_repository_with_the_creator_as_authority(name: bytes):
    chain = make_config()
    chain.edit(CONFIG, pause_bits=63 & ~1)
    creator, payer = chain.party("owner"), chain.party("payer")
    address = find_repo(creator.pubkey(), name)
    before = chain.lamports(payer.pubkey())
    call = repo_create(chain, name).with_arguments(points_per_merge=2**64 - 1)

    event = chain.act(call, chained=address, actor=creator)

    stored = name.ljust(64, b"\0")
    values = {"name": stored, "name_len": len(name), "points_per_merge": 2**64 - 1}
    assert event == ("RepoCreated", {"creator": creator.pubkey(), **values})
    repo = chain.read(address)
    assert repo == account_of(
        "Repo",
        bump=find_bump(b"repo", creator.pubkey(), digest(name.decode())),
        creator=creator.pubkey(),
        authority=creator.pubkey(),
        event_seq=1,
        history_root=repo.history_root,
        created_at=chain.now,
        **values,
    )
    rent = chain.rent(ACCOUNTS["Repo"].size + 8)
    assert chain.lamports(address) == rent
    assert before - chain.lamports(payer.pubkey()) == rent


def test_makes_a_repository_where_somebody_sent_lamports_before():
    chain = make_config()
    address = find_repo(chain.party("owner").pubkey(), b"heart")
    chain.svm.airdrop(address, 1_000_000)

    chain.send(repo_create(chain))

    assert chain.read(address).event_seq == 1


def test_two_creators_may_use_the_same_name():
    chain = make_config()

    chain.send(repo_create(chain, creator="owner"), repo_create(chain, creator="rival"))

    assert chain.exists(find_repo(chain.party("rival").pubkey(), b"heart"))
