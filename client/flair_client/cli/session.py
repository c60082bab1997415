"""One run of the command: its flags, its output, and what it opens on demand."""

import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flair_client.cli.output import Output
from flair_client.context import Context
from flair_client.errors import NotAWorkspace, UsageError
from flair_client.opening import open_context
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.repo_address import RepoAddress, resolve_repo_address
from flair_client.settings import Flags, Settings, load_settings
from flair_client.site_rules import SiteRules, site_rules_from

if TYPE_CHECKING:
    from flair_client.workspace import Workspace


@dataclass(slots=True)
class Invocation:
    """What the parser found, filled while it goes along.

    Attributes:
        flags: the global flags that were given, by key.
        command: the command's whole name.
        out: where it speaks; made when it runs.
    """

    flags: dict[str, Any] = field(default_factory=dict)
    command: str = ""
    out: Output | None = None

    def output(self) -> Output:
        """Gives the one output of this run."""
        if self.out is None:
            self.out = Output(
                command=self.command,
                json_mode=bool(self.flags.get("json")),
                quiet=bool(self.flags.get("quiet")),
                verbose=bool(self.flags.get("verbose")),
            )
        return self.out


class App:
    """What a command's function gets first."""

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation
        self._opened: list[Context] = []
        self.out = invocation.output()

    @property
    def _flags(self) -> Flags:
        flags = self._invocation.flags
        return Flags(
            home=flags.get("home"),
            network=flags.get("network"),
            wallet=flags.get("wallet"),
            color=flags.get("color"),
            progress=flags.get("progress"),
        )

    @cached_property
    def settings(self) -> Settings:
        """Flags, environment and files together."""
        settings = load_settings(self._flags)
        self.out.color = settings.is_on("core.color")
        return settings

    @cached_property
    def progress(self) -> Progress:
        """Bars where a person watches, nothing elsewhere."""
        shown = sys.stderr.isatty() and not (self.out.quiet or self.out.json_mode)
        if not shown or not self.settings.is_on("core.progress"):
            return NO_PROGRESS
        from flair_client.cli.progress import RichProgress

        return RichProgress(color=self.settings.is_on("core.color"))

    @property
    def asked_network(self) -> str | None:
        """What `--network` says, for commands that no setting chooses a network for."""
        named: str | None = self._invocation.flags.get("network")
        return named

    @property
    def is_interactive(self) -> bool:
        """Whether a person can be asked something."""
        return sys.stdin.isatty() and sys.stderr.isatty() and not self.out.json_mode

    @property
    def site(self) -> SiteRules:
        """What this machine's own IT allows; for commands that need no network."""
        values = {name: one.value for name, one in self.settings.values.items()}
        return site_rules_from(values)

    def context(
        self,
        *,
        signer: bool | None = False,
        network: str | None = None,
        new_workspace: bool = False,
        hasty: bool = False,
        store: str | None = None,
    ) -> Context:
        """Opens chain, store and wallet.

        Args:
            signer: whether the command signs; None reads the wallet when asked.
            network: the network that an address names.
            new_workspace: whether the command makes another workspace, which the
                settings of the one around it are not meant for.
            hasty: whether the command goes on without the chain and does not wait long.
            store: URL of the store to use instead of the one that settings say.

        Raises:
            UsageError: `--network` says another one.
        """
        asked = self._invocation.flags.get("network")
        if network is not None and asked is not None and network != asked:
            raise UsageError(
                f"the address is on network {network!r}, --network says {asked!r}"
            )
        settings = self.settings
        if new_workspace and settings.workspace is not None:
            settings = load_settings(self._flags, folder=Path(Path.cwd().anchor))
        opened = open_context(
            settings,
            network=network,
            signer=signer,
            hasty=hasty,
            store=store,
            progress=self.progress,
        )
        self._opened.append(opened)
        return opened

    def workspace(self) -> "Workspace":
        """Gives the workspace of the current folder.

        Raises:
            NotAWorkspace: there is none here or above.
        """
        if self.settings.workspace is None:
            raise NotAWorkspace(f"there is no workspace at {Path.cwd()} or above")
        # Brings the store along, which most commands do without.
        from flair_client.workspace import Workspace

        return Workspace(self.settings.workspace)

    def repo_address(self, text: str | None) -> RepoAddress:
        """Gives the repository meant: as written, or that of the workspace.

        Raises:
            UsageError: nothing is written and this is no workspace with a repository.
        """
        chosen = text or self.settings.text("workspace.repo")
        if chosen is None:
            raise UsageError("no repository is named, and this folder is not a clone")
        creator = None
        if not chosen.startswith("flair://") and "/" not in chosen:
            from flair_client.chain.signer import load_wallet

            creator = load_wallet(self.settings.wallet_path()).address
        return resolve_repo_address(
            chosen, network=self.settings.network, creator=creator
        )

    def branch_name(self, text: str | None, address: RepoAddress) -> str:
        """Gives the branch: as written, in the address, of the workspace, or main."""
        return text or address.ref or self.settings.text("workspace.branch") or "main"

    def confirm(self, question: str, *, flag: str, given: bool) -> None:
        """Asks before something that cannot be undone.

        Args:
            question: what will happen, as a question.
            flag: the flag that answers it beforehand.
            given: whether that flag was given.

        Raises:
            UsageError: nobody can be asked, or the answer is no.
        """
        if given:
            return
        if not self.is_interactive:
            raise UsageError(f"this cannot be undone; say so with {flag}")
        import click

        if not click.confirm(question, err=True):
            raise UsageError("not confirmed, nothing was done")

    def close(self) -> None:
        """Closes connections; tells of gateways that lied."""
        for opened in self._opened:
            opened.chain.close()
            complaints = getattr(opened.remote, "complaints", tuple)
            for sentence in complaints():
                self.out.warn(sentence)
