"""Code on its way to a program: cut off, dropped, and never sent twice."""

import pytest

from flair_client.chain import loader
from flair_client.chain.accounts import RawAccount
from flair_client.chain.pdas import UPGRADEABLE_LOADER_ID
from flair_client.chain.rpc import LatestBlockhash, SignatureStatus
from flair_client.chain.signer import KeypairSigner
from flair_client.chain.uploading import missing_parts, upload
from flair_client.chain.wire import read_transaction
from flair_client.errors import (
    AccountInvalid,
    AccountMissing,
    RpcTimeout,
    RpcUnavailable,
)
from flair_client.ids import Address

SIGNER = KeypairSigner(b"\7" * 32)
# No two parts are alike, and none is zeros alone.
CODE = b"\x7fELF" + bytes(n % 251 + 1 for n in range(7_500))
N_PARTS = 8
BUFFER = loader.find_buffer(SIGNER.address, CODE)[0]
HEADER = (1).to_bytes(4, "little") + b"\1" + SIGNER.address.raw


class Cluster:
    """Holds a buffer and carries out what is written into it.

    Attributes:
        fate: called with the number of each transaction; False drops it, an exception
            is what the sender sees.
    """

    def __init__(self):
        self.data = bytearray(HEADER + bytes(len(CODE)))
        self.owner = UPGRADEABLE_LOADER_ID
        self.offsets = []
        self.done = set()
        self.fate = lambda _number: True

    def get_account(self, address):
        assert address == BUFFER
        if self.data is None:
            return None
        return RawAccount(address, self.owner, 1, bytes(self.data), executable=False)

    def get_latest_blockhash(self):
        return LatestBlockhash(str(Address(b"\3" * 32)), 100)

    def send_transaction(self, wire, *, preflight):
        assert not preflight
        (instruction,) = read_transaction(wire).instructions
        offset = int.from_bytes(instruction.data[4:8], "little")
        size = int.from_bytes(instruction.data[8:16], "little")
        part = instruction.data[16:]
        assert (instruction.data[:4], len(part)) == ((1).to_bytes(4, "little"), size)
        fate = self.fate(len(self.offsets))
        self.offsets.append(offset)
        if isinstance(fate, BaseException):
            raise fate
        if fate:
            start = loader.BUFFER_HEADER + offset
            self.data[start : start + size] = part
            self.done.add(wire[1:65])

    def get_signature_statuses(self, signatures):
        return [SignatureStatus(7, None, "confirmed") for _ in signatures]

    def read_from(self, slot):
        assert slot == 7

    def sleep(self, _seconds):
        pytest.fail("nothing has to be waited for")


@pytest.fixture
def cluster():
    return Cluster()


def held(cluster):
    return bytes(cluster.data[loader.BUFFER_HEADER :])


def test_all_parts_are_written_once(cluster):
    arrived = []

    assert upload(cluster, SIGNER, BUFFER, CODE, arrived.append) == len(CODE)

    assert held(cluster) == CODE
    assert cluster.offsets == list(range(0, len(CODE), loader.CHUNK))
    assert sum(arrived) == len(CODE)


def test_what_is_there_already_is_not_sent_again(cluster):
    def cut_off(number):
        return KeyboardInterrupt() if number == 3 else True

    cluster.fate = cut_off
    with pytest.raises(KeyboardInterrupt):
        upload(cluster, SIGNER, BUFFER, CODE)
    cluster.fate = lambda _number: True
    first, cluster.offsets = cluster.offsets[:3], []

    upload(cluster, SIGNER, BUFFER, CODE)

    assert held(cluster) == CODE
    assert not set(first) & set(cluster.offsets)
    assert len(cluster.offsets) == N_PARTS - 3


def test_parts_that_were_dropped_are_sent_again(cluster):
    cluster.fate = lambda number: number not in (1, 4, 8)

    upload(cluster, SIGNER, BUFFER, CODE)

    assert held(cluster) == CODE
    assert len(cluster.offsets) == N_PARTS + 3


def test_an_answer_that_got_lost_is_looked_up_and_not_guessed(cluster):
    cluster.fate = lambda number: RpcUnavailable("gone") if number == 2 else True

    upload(cluster, SIGNER, BUFFER, CODE)

    assert held(cluster) == CODE
    assert len(cluster.offsets) == N_PARTS + 1


def test_a_cluster_that_takes_nothing_is_given_up(cluster):
    cluster.fate = lambda _number: False

    with pytest.raises(RpcTimeout, match="do not arrive"):
        upload(cluster, SIGNER, BUFFER, CODE)


@pytest.mark.parametrize(
    "change",
    [
        {"data": bytearray(HEADER + bytes(len(CODE) + 1))},
        {"data": bytearray(HEADER[:5] + b"\1" * 32 + bytes(len(CODE)))},
        {"data": bytearray(b"\0" * 4 + HEADER[4:] + bytes(len(CODE)))},
        {"data": bytearray(HEADER[:4] + b"\2" + HEADER[5:] + bytes(len(CODE)))},
        {"owner": SIGNER.address},
    ],
)
def test_a_buffer_that_is_not_ours_is_not_written(cluster, change):
    for name, value in change.items():
        setattr(cluster, name, value)

    with pytest.raises(AccountInvalid):
        upload(cluster, SIGNER, BUFFER, CODE)

    assert cluster.offsets == []


def test_a_buffer_that_is_gone_is_told(cluster):
    cluster.data = None

    with pytest.raises(AccountMissing):
        upload(cluster, SIGNER, BUFFER, CODE)


def test_a_part_is_missing_where_one_byte_differs():
    wrong = bytearray(CODE)
    wrong[loader.CHUNK] ^= 1

    part = CODE[loader.CHUNK : 2 * loader.CHUNK]
    assert missing_parts(CODE, bytes(wrong)) == [(loader.CHUNK, part)]
    assert missing_parts(CODE, CODE) == []
    assert len(missing_parts(CODE, b"")) == N_PARTS


def test_zeros_behind_the_code_are_only_room():
    assert loader.code_digest(CODE + bytes(900)) == loader.code_digest(CODE)
    assert loader.code_digest(CODE + b"\1") != loader.code_digest(CODE)


def test_the_buffer_follows_from_wallet_and_code():
    other = KeypairSigner(b"\x08" * 32).address

    assert loader.find_buffer(SIGNER.address, CODE)[0] == BUFFER
    assert loader.find_buffer(other, CODE)[0] != BUFFER
    assert loader.find_buffer(SIGNER.address, CODE + b"\1")[0] != BUFFER
