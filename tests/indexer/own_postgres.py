"""A PostgreSQL server of our own in a temporary folder, as a user that is not root."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, text


def find_binaries() -> Path | None:
    """Where `initdb` and `pg_ctl` are: on PATH, or where Debian puts them."""
    on_path = shutil.which("pg_ctl")
    found = [Path(on_path).parent] if on_path else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((one for one in found if (one / "initdb").exists()), None)


def find_user() -> str | None:
    """Whom the server runs as; None for whoever runs the tests."""
    if os.geteuid():
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres").pw_name
    return pwd.getpwnam("nobody").pw_name


def why_not() -> str | None:
    """Why no server can be had here; None where one can."""
    if find_binaries() is None:
        return "PostgreSQL's server is not installed (initdb, pg_ctl)"
    return None


@dataclass
class Postgres:
    """A server that listens on a socket file alone."""

    folder: Path
    binaries: Path
    user: str | None
    n_databases: int = 0

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [str(self.binaries / name), *arguments],
            check=True,
            user=self.user,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            timeout=600,
        )

    def make(self) -> None:
        data = str(self.folder / "data")
        self._run("initdb", "-D", data, "-U", "flair", "--auth=trust", "-E", "UTF8")

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses="
        data, log = str(self.folder / "data"), str(self.folder / "log")
        self._run("pg_ctl", "-D", data, "-l", log, "-w", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        data = str(self.folder / "data")
        self._run("pg_ctl", "-D", data, "-w", "-m", mode, "stop")

    def url(self, name: str) -> str:
        return f"postgresql://flair@/{name}?host={self.folder}"

    def new_database(self) -> str:
        """Makes an empty database; gives its URL."""
        self.n_databases += 1
        name = f"index{self.n_databases}"
        address = self.url("postgres").replace("postgresql:", "postgresql+psycopg:")
        engine = create_engine(address, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self.url(name)


@contextlib.contextmanager
def own_postgres() -> Iterator[Postgres]:
    """Runs a server for the length of a `with` block."""
    binaries = find_binaries()
    if binaries is None:
        raise RuntimeError(why_not())
    user = find_user()
    # Not below pytest's folder, which the server's user may not enter.
    folder = Path(tempfile.mkdtemp(prefix="flair-pg-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        server = Postgres(folder, binaries, user)
        server.make()
        server.start()
        try:
            yield server
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):
                server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
