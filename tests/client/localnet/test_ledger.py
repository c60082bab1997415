"""What is on disk: kept when the disk is full, named when it is damaged."""

import base64
import contextlib
import os
import resource
import signal
import sqlite3

import pytest

from flair_client.chain.client import ChainClient
from flair_client.chain.instructions import repo_create
from flair_client.chain.pdas import find_program_data_pda, find_repo_pda
from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import KeypairSigner
from flair_client.chain.transport import Patience
from flair_client.errors import ChainError, FlairError, RpcRefused, UsageError
from flair_client.localnet import start_localnet
from flair_client.localnet.ledger import Ledger, LedgerDamaged, LedgerFull
from flair_client.localnet.run import read_program

SIGNER = KeypairSigner(b"\5" * 32)
B64 = {"encoding": "base64"}
NO_LIMIT = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def instruction(name):
    return repo_create(
        payer=SIGNER.address, creator=SIGNER.address, name=name, points_per_merge=1
    )


@contextlib.contextmanager
def running(folder):
    with start_localnet(folder) as net:
        rpc = Rpc(
            net.url,
            genesis_hash=net.genesis_hash,
            patience=Patience(timeout_s=10, attempts=1),
        )
        with contextlib.closing(ChainClient(rpc)) as chain:
            yield net, chain


def create(chain, name):
    return chain.send([instruction(name)], [SIGNER])


def names(chain):
    return [one.name for one in chain.repos(SIGNER.address)]


def test_a_full_disk_refuses_what_is_new_and_keeps_what_was_confirmed(tmp_path):
    with running(tmp_path) as (net, chain):
        chain.wait_for(chain.rpc.request_airdrop(SIGNER.address, 10**10))
        create(chain, "before")
        size = max(one.stat().st_size for one in tmp_path.glob("ledger.db*"))
        # From here on no file of this process may grow.
        resource.prlimit(net.pid, resource.RLIMIT_FSIZE, (size, NO_LIMIT[1]))

        for name in ("refused-1", "refused-2"):
            with pytest.raises(
                RpcRefused, match=r"ledger .* cannot be written"
            ) as told:
                create(chain, name)
            assert told.value.code == -32603
            with pytest.raises(RpcRefused, match=r"ledger .* cannot be written"):
                chain.rpc.request_airdrop(SIGNER.address, 1)
        assert names(chain) == ["before"]
        assert (
            len(chain.events_since(find_repo_pda(SIGNER.address, "before")[0], 0)) == 1
        )
        balance = chain.rpc.get_balance(SIGNER.address)
        resource.prlimit(net.pid, resource.RLIMIT_FSIZE, NO_LIMIT)
        create(chain, "after")
        assert chain.rpc.get_balance(SIGNER.address) < balance
        resource.prlimit(net.pid, resource.RLIMIT_FSIZE, (size, NO_LIMIT[1]))
        with pytest.raises(RpcRefused):
            create(chain, "refused-3")
        os.kill(net.pid, signal.SIGKILL)

    with running(tmp_path) as (_, chain):
        assert names(chain) == ["after", "before"]
        create(chain, "refused-3")
        assert names(chain) == ["after", "before", "refused-3"]


def test_a_transaction_that_does_not_fit_leaves_the_chain_as_it_was(open_asker):
    with open_asker() as ask:
        ask.fund(SIGNER)
        before = ask("getBalance", str(SIGNER.address))["value"]
        n_transactions = ask("getTransactionCount")
        ((n_pages,),) = ask.node.bank.ledger._rows("PRAGMA page_count")
        ask.node.bank.ledger.limit_pages(n_pages)

        refused = []
        for n in range(40):
            signed = ask.sign(instruction(f"repo-{n}"), signers=[SIGNER])
            wire = base64.b64encode(signed.wire).decode()
            answer = ask.body("sendTransaction", wire, B64)
            if "error" in answer:
                refused.append((n, signed.signature, answer["error"]))
        n_taken = 40 - len(refused)

        assert refused
        assert {one["code"] for *_, one in refused} == {-32603}
        assert "full" in refused[0][2]["message"]
        assert ask("getTransactionCount") == n_transactions + n_taken
        n, signature, _ = refused[0]
        repo = str(find_repo_pda(SIGNER.address, f"repo-{n}")[0])
        assert ask("getAccountInfo", repo, B64)["value"] is None
        assert ask("getSignatureStatuses", [signature])["value"] == [None]
        rent = ask("getMinimumBalanceForRentExemption", 0)
        assert ask("getBalance", str(SIGNER.address))["value"] > rent
        if n_taken == 0:
            assert ask("getBalance", str(SIGNER.address))["value"] == before


def test_the_genesis_is_written_whole_or_not_at_all(tmp_path):
    with contextlib.closing(Ledger(tmp_path / "ledger.db")) as ledger:
        ledger.limit_pages(1)
        with pytest.raises(LedgerFull, match="full"):
            ledger.begin_chain({"genesis_hash": b"x" * 32, "big": b"x" * 10**6}, {})

        assert ledger.meta("genesis_hash") is None
        assert ledger.meta("format") == b"1"


@pytest.fixture
def folder(tmp_path, open_asker):
    """A chain with some transactions, closed."""
    with open_asker(tmp_path / "net") as ask:
        for n in range(3):
            ask.fund(SIGNER, 10**9 + n)
    return tmp_path / "net"


def replace_with(content):
    def damage(path):
        path.write_bytes(content)

    return damage


def cut_off(path):
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def overwrite_pages(path):
    with path.open("r+b") as file:
        size = path.stat().st_size
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))


def rewrite(*statements):
    def damage(path):
        with contextlib.closing(sqlite3.connect(path)) as db:
            for statement in statements:
                db.execute(statement)
            db.commit()

    return damage


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (replace_with(b"this is a letter, not a ledger" * 500), "not a database"),
        (cut_off, "damaged|malformed"),
        (overwrite_pages, "damaged|malformed"),
        (
            rewrite("UPDATE meta SET value = x'39' WHERE name = 'format'"),
            "has format b'9', not 1",
        ),
        (rewrite("UPDATE meta SET value = 'x' WHERE name = 'format'"), "'format'"),
        (rewrite("DROP TABLE accounts", "CREATE TABLE accounts (x)"), "no such column"),
        (
            rewrite("UPDATE meta SET value = x'00' WHERE name = 'genesis_hash'"),
            "is not the genesis hash of a localnet",
        ),
        (rewrite("UPDATE accounts SET lamports = 'many'"), "an account"),
        (rewrite("UPDATE accounts SET lamports = -1"), "an account"),
        (rewrite("UPDATE accounts SET owner = x'00'"), "not a valid address"),
    ],
)
def test_a_damaged_ledger_is_named_and_left_alone(folder, open_asker, damage, words):
    damage(folder / "ledger.db")
    before = (folder / "ledger.db").read_bytes()

    with pytest.raises(FlairError, match=words), open_asker(folder):
        pass

    assert (folder / "ledger.db").read_bytes() == before
    with open_asker(folder, reset=True) as ask:
        assert ask("getHealth") == "ok"


def test_a_ledger_that_is_damaged_while_in_use_is_told(folder, open_asker):
    with open_asker(folder) as ask:
        signature = ask.fund(SIGNER)
        ask.node.bank.ledger._db.execute("UPDATE transactions SET meta = '{'")

        error = ask.error("getTransaction", signature)

    assert error["code"] == -32603
    assert "damaged: transaction in slot" in error["message"]


def test_a_public_clusters_genesis_hash_is_never_carried(folder, open_asker):
    from flair_client.ids import Address
    from flair_client.localnet.genesis import PUBLIC_GENESIS_HASHES

    for text in PUBLIC_GENESIS_HASHES:
        value = Address.parse(text).raw.hex()
        setting = "UPDATE meta SET value = x'{}' WHERE name = 'genesis_hash'"
        rewrite(setting.format(value))(folder / "ledger.db")
        with pytest.raises(ChainError, match="cannot carry the public genesis hash"):
            open_asker(folder).__enter__()


def test_a_reset_forgets_the_chain_and_keeps_the_wallets(folder, open_asker):
    with open_asker(folder) as ask:
        genesis = ask("getGenesisHash")
        assert ask("getBalance", str(SIGNER.address))["value"] > 0
    wallets = {
        name: (folder / name).read_bytes() for name in ("faucet.json", "operator.json")
    }

    with open_asker(folder, reset=True) as ask:
        assert ask("getGenesisHash") != genesis
        assert ask("getBalance", str(SIGNER.address))["value"] == 0

    assert {name: (folder / name).read_bytes() for name in wallets} == wallets


def test_the_files_belong_to_their_owner_alone(folder):
    modes = {
        path.name: path.stat().st_mode & 0o077
        for path in (folder, *folder.glob("ledger.db*"), *folder.glob("*.json"))
    }
    assert {name: mode for name, mode in modes.items() if mode} == {}


def test_a_folder_that_cannot_be_made_is_told(tmp_path, open_asker):
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match="cannot be made"):
        open_asker(tmp_path / "file" / "net").__enter__()


def test_a_file_that_is_no_program_is_refused(tmp_path, open_asker):
    (tmp_path / "flair.so").write_bytes(b"MZ")

    for path, words in (
        (tmp_path / "flair.so", "is not a compiled program"),
        (tmp_path / "none.so", "cannot be read"),
    ):
        with pytest.raises(UsageError, match=words):
            open_asker(program_file=path).__enter__()


def test_a_folder_in_use_is_refused(folder, open_asker):
    with (
        open_asker(folder),
        pytest.raises(ChainError, match="another localnet runs in"),
    ):
        open_asker(folder).__enter__()

    with open_asker(folder) as ask:
        assert ask("getHealth") == "ok"


def test_a_ledger_says_what_is_wrong_by_its_own_name(tmp_path):
    path = tmp_path / "ledger.db"
    path.mkdir()

    with pytest.raises(LedgerDamaged, match=r"ledger\.db cannot be opened"):
        Ledger(path)


def test_a_transaction_is_synced_before_it_is_told(folder, open_asker):
    with open_asker(folder) as ask:
        # 2 is FULL: the log is on disk when a unit of work ends.
        assert ask.node.bank.ledger._rows("PRAGMA synchronous") == [(2,)]
        assert ask.node.bank.ledger._rows("PRAGMA journal_mode") == [("wal",)]


def test_damage_where_nobody_looks_at_the_start_is_found(folder, open_asker):
    path = folder / "ledger.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        query = "SELECT rootpage FROM sqlite_schema WHERE name = 'mentions'"
        ((page,),) = db.execute(query)
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xa5" * 4096)

    with pytest.raises(LedgerDamaged, match=r"ledger\.db"):
        open_asker(folder).__enter__()


def test_a_unit_of_work_that_is_cut_off_leaves_nothing_and_blocks_nothing(tmp_path):
    with contextlib.closing(Ledger(tmp_path / "ledger.db")) as ledger:
        with contextlib.suppress(ZeroDivisionError), ledger._writing():
            ledger._db.execute("INSERT INTO meta VALUES ('half', x'00')")
            raise ZeroDivisionError
        ledger.begin_chain({"whole": b"1"}, {})

        assert (ledger.meta("half"), ledger.meta("whole")) == (None, b"1")


def test_another_program_takes_the_place_of_the_old_one(folder, tmp_path, open_asker):
    code = read_program() + b"\0" * 8
    (tmp_path / "newer.so").write_bytes(code)
    where = str(find_program_data_pda()[0])

    for program_file, expected in ((tmp_path / "newer.so", code), (None, code[:-8])):
        with open_asker(folder, program_file=program_file) as ask:
            shown = ask("getAccountInfo", where, B64)["value"]["data"][0]
            ask.fund(SIGNER)

        # Before the code: kind, slot, and the upgrade authority.
        assert base64.b64decode(shown)[45:] == expected
