"""How commands are declared: global flags, help with examples, lazy groups.

    @command("create", result=RepoCreated, examples=("flair repo create heart",))
    @click.argument("name")
    def create(app: App, name: str) -> None: ...

The function gets an `App` first, then its own options.
"""

import difflib
import functools
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from flair_client.cli.jsonable import envelope_schema
from flair_client.cli.session import App, Invocation

_ALIASES = {"ls": "list", "updates": "update"}
HELP_NAMES = {"help_option_names": ["-h", "--help"]}


def _note(name: str, value: Any) -> Callable[[click.Context, Any, Any], None]:
    """Remembers a flag for the whole command line, wherever it stands in it."""

    def callback(ctx: click.Context, _param: click.Parameter, given: Any) -> None:
        if given not in (None, False):
            ctx.ensure_object(Invocation).flags[name] = (
                given if value is None else value
            )

    return callback


def global_options() -> list[click.Parameter]:
    """Gives the flags that every command takes, before or after its verb."""

    def flag(*names: str, key: str, value: bool = True, text: str) -> click.Option:
        return click.Option(
            names,
            is_flag=True,
            expose_value=False,
            callback=_note(key, value),
            help=text,
        )

    def option(name: str, *, key: str, metavar: str, text: str) -> click.Option:
        return click.Option(
            (name,),
            metavar=metavar,
            expose_value=False,
            callback=_note(key, None),
            type=Path if key == "home" else str,
            help=text,
        )

    return [
        flag("--json", key="json", text="One JSON object on stdout."),
        flag("-q", "--quiet", key="quiet", text="Only results and errors."),
        flag("-v", "--verbose", key="verbose", text="More details on stderr."),
        flag("--no-color", key="color", value=False, text="No colours."),
        flag("--no-progress", key="progress", value=False, text="No progress bars."),
        option("--network", key="network", metavar="NAME", text="Network profile."),
        option("--wallet", key="wallet", metavar="NAME|PATH", text="Wallet to use."),
        option("--home", key="home", metavar="DIR", text="Instead of FLAIR_HOME."),
    ]


class _Documented(click.Command):
    """Help in sections: what it does, options, global options, examples."""

    examples: Sequence[str] = ()

    def format_options(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        own: list[tuple[str, str]] = []
        everywhere: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                is_own = param.expose_value or "--schema" in param.opts
                (own if is_own else everywhere).append(record)
        for title, records in (("Options", own), ("Global options", everywhere)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"  {example}\n")
        super().format_epilog(ctx, formatter)


class FlairCommand(_Documented):
    """A verb."""

    def __init__(
        self, *args: Any, result: Any = None, examples: Sequence[str] = (), **kw: Any
    ) -> None:
        kw.setdefault("context_settings", HELP_NAMES)
        super().__init__(*args, **kw)
        self.result = result
        self.examples = examples
        self.params += [*global_options(), self._schema_option()]

    def _schema_option(self) -> click.Option:
        def show(ctx: click.Context, _param: click.Parameter, given: bool) -> None:
            if given:
                schema = envelope_schema(command_name(ctx), self.result)
                click.echo(json.dumps(schema, indent=2))
                ctx.exit()

        return click.Option(
            ("--schema",),
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=show,
            help="Print the JSON schema of the result.",
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click; remembers which command it was."""
        ctx.ensure_object(Invocation).command = command_name(ctx)
        return super().parse_args(ctx, args)


class FlairGroup(_Documented, click.Group):
    """A noun, or the whole command."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kw: Any) -> None:
        kw.setdefault("context_settings", HELP_NAMES)
        super().__init__(*args, **kw)
        self.examples = examples
        self.params += global_options()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click; remembers which command it was."""
        ctx.ensure_object(Invocation).command = command_name(ctx)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click; knows the usual other names and suggests what may be meant.

        Raises:
            click.UsageError: there is no such command.
        """
        known = self.list_commands(ctx)
        name = args[0]
        if name not in known and _ALIASES.get(name) in known:
            name = _ALIASES[name]
        if name.startswith("-") or name in known:
            return super().resolve_command(ctx, [name, *args[1:]])
        near = difflib.get_close_matches(name, known, n=3)
        message = f"{ctx.command_path!r} has no command {name!r}"
        if near:
            message += f"; did you mean {' or '.join(repr(item) for item in near)}?"
        raise click.UsageError(message, ctx)

    def format_options(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Commands first: they matter more than options."""
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)


@dataclass(frozen=True, slots=True)
class Lazy:
    """A command whose module is imported only when it runs.

    Attributes:
        target: `module:attribute`.
        help: the first line of its help, so that listing imports nothing.
        section: where the list shows it.
        extra: what must be installed for it, for the message when it is not.
    """

    target: str
    help: str
    section: str
    extra: str | None = None

    def load(self) -> click.Command:
        """Imports it.

        Raises:
            click.UsageError: its part is not installed.
        """
        module, _, attribute = self.target.partition(":")
        try:
            loaded = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as exc:
            missing = (exc.name or "").partition(".")[0]
            if self.extra is None or missing == "flair_client":
                raise
            raise click.UsageError(
                f"this command needs {missing!r}, which is not installed; "
                f"install it with: pip install 'flair-hub[{self.extra}]'"
            ) from exc
        if not isinstance(loaded, click.Command):
            raise click.UsageError(f"{self.target} is not a command")
        return loaded


class LazyGroup(FlairGroup):
    """A group whose commands are imported when they are used."""

    def __init__(self, *args: Any, lazy: Mapping[str, Lazy], **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Gives the names of all commands."""
        return [*self.lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports a command by its name."""
        entry = self.lazy.get(cmd_name)
        return super().get_command(ctx, cmd_name) if entry is None else entry.load()

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        """Lists the commands by section, importing none."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, entry in self.lazy.items():
            sections.setdefault(entry.section, []).append((name, entry.help))
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def command(
    name: str, *, result: Any = None, examples: Sequence[str]
) -> Callable[[Callable[..., None]], FlairCommand]:
    """Declares a verb.

    Args:
        name: as typed.
        result: class of the value given to `app.out.result`, for `--schema`.
        examples: lines for the help.
    """

    def decorate(function: Callable[..., None]) -> FlairCommand:
        return click.command(name, cls=FlairCommand, result=result, examples=examples)(
            _with_app(function)
        )

    return decorate


def group(
    name: str, *, examples: Sequence[str]
) -> Callable[[Callable[..., None]], FlairGroup]:
    """Declares a noun; its verbs are added with `noun.add_command`."""
    return click.group(name, cls=FlairGroup, examples=examples)


def _with_app(function: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> None:
        context = click.get_current_context()
        invocation = context.ensure_object(Invocation)
        app = App(invocation)
        context.call_on_close(app.close)
        function(app, *args, **kwargs)

    return call


def command_name(ctx: click.Context) -> str:
    """Gives a command's whole name without the program's, as `repo create`."""
    return ctx.command_path.partition(" ")[2]
