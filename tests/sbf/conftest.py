"""The probe (a program that does what the build adapts), and snippets of assembly."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from solders.compute_budget import set_compute_unit_limit
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import Transaction
from solders.transaction_metadata import FailedTransactionMetadata

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

PROGRAM = Pubkey(bytes([7] * 32))


class Program:
    """A program in a chain of its own: instruction data in, return data out."""

    def __init__(self, code: bytes) -> None:
        self.svm = LiteSVM().with_sigverify(False)
        self.svm.add_program(PROGRAM, code)
        self.payer = Keypair()
        self.svm.airdrop(self.payer.pubkey(), 10**10)
        self.logs: list[str] = []

    def __call__(self, data: bytes) -> bytes | None:
        """The answer, or None when the program was stopped (`logs` then says why)."""
        self.svm.expire_blockhash()
        message = Message(
            [set_compute_unit_limit(1_400_000), Instruction(PROGRAM, data, [])],
            self.payer.pubkey(),
        )
        transaction = Transaction([self.payer], message, self.svm.latest_blockhash())
        sent = self.svm.send_transaction(transaction)
        if isinstance(sent, FailedTransactionMetadata):
            self.logs = sent.meta().logs()
            return None
        self.logs = sent.logs()
        return sent.return_data().data


@pytest.fixture(scope="session")
def packages() -> None:
    from sbf.packages import missing

    if absent := missing():
        pytest.skip(f"these Debian packages are missing: {' '.join(absent)}")


@pytest.fixture(scope="session")
def target_dir() -> Path:
    """Shared with `scripts/build-program`, so that std is compiled once."""
    return ROOT / "target" / "sbf"


@pytest.fixture(scope="session")
def crate() -> Path:
    return Path(__file__).resolve().parent / "crate"


@pytest.fixture(scope="session")
def probe_file(packages, crate, target_dir, tmp_path_factory) -> Path:
    from sbf.build import Outputs, build

    program = tmp_path_factory.mktemp("probe") / "probe.so"
    build(crate, Outputs(program, None), target_dir)
    return program


@pytest.fixture(scope="session")
def probe(probe_file) -> Program:
    return Program(probe_file.read_bytes())


@pytest.fixture
def assembled(packages, target_dir, tmp_path) -> Callable[[str], Path]:
    """Compiles LLVM assembly to a BPF object, as the build does with a crate."""
    from sbf.lower import build_plugin, to_object

    def compile_text(text: str) -> Path:
        source, output = tmp_path / "snippet.ll", tmp_path / "snippet.o"
        source.write_text(text)
        to_object(source, build_plugin(target_dir), output)
        return output

    return compile_text


@pytest.fixture
def linked(assembled, tmp_path) -> Callable[[str], Program]:
    """Compiles LLVM assembly to a program in a chain of its own."""
    from sbf.relink import relink

    def link_text(text: str) -> Program:
        output = tmp_path / "snippet.so"
        relink(assembled(text), output)
        return Program(output.read_bytes())

    return link_text
