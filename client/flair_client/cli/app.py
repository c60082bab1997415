"""The entry point of `flair`: parses, runs, and turns whatever happens into an exit."""

import gc
import os
import sys
from collections.abc import Sequence
from typing import Final

import click

from flair_client.cli.command import HELP_NAMES, LazyGroup
from flair_client.cli.registry import all_commands, shipped_commands
from flair_client.cli.session import Invocation

# `eval "$(_FLAIR_COMPLETE=bash_source flair)"` switches completion on in a shell.
_COMPLETION: Final = "_FLAIR_COMPLETE"
_HELP: Final = """Version control for models whose training data may not move.

A repository holds a model; contributors train it where their data lies and push
updates; merges are commits that anyone can check.
"""
_GC_THRESHOLD: Final = 50_000
_EXAMPLES: Final = (
    "flair localnet",
    "flair wallet new",
    "flair wallet airdrop 10",
    "flair repo create heart-risk",
)


def root_command(arguments: Sequence[str] = ()) -> click.Command:
    """Builds the command with all its verbs; imports none of them.

    Args:
        arguments: of this run; where they begin with a verb that Flair ships, nobody
            looks for plug-ins, which takes longer than most verbs.
    """

    def show_version(ctx: click.Context, _param: click.Parameter, given: bool) -> None:
        if given:
            from importlib.metadata import version

            click.echo(f"flair {version('flair-hub')}")
            ctx.exit()

    shipped = shipped_commands()
    is_shipped = bool(arguments) and arguments[0] in shipped
    root = LazyGroup(
        name="flair",
        help=_HELP,
        lazy=shipped if is_shipped else all_commands(),
        examples=_EXAMPLES,
        context_settings=HELP_NAMES,
    )
    root.params.append(
        click.Option(
            ("-V", "--version"),
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=show_version,
            help="Print the version.",
        )
    )
    return root


def run(arguments: Sequence[str]) -> int:
    """Runs the command and gives the exit code of the process."""
    invocation = Invocation()
    if _asks_for_json(arguments):
        # Known before parsing, so that an error of parsing is an envelope too.
        invocation.flags["json"] = True
    root = root_command(arguments)
    if _COMPLETION in os.environ:
        root.main(prog_name="flair", complete_var=_COMPLETION)
    try:
        try:
            with root.make_context("flair", list(arguments), obj=invocation) as ctx:
                root.invoke(ctx)
            return _finish(invocation)
        except click.exceptions.Exit as exc:
            # --help, --version, --schema: click has printed.
            sys.stdout.flush()
            return exc.exit_code
        except BrokenPipeError:
            raise
        except click.exceptions.NoArgsIsHelpError as exc:
            return _bare(invocation, exc)
        except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - the last place
            return _fail(invocation, exc)
    except BrokenPipeError:
        # Whoever read our output has had enough, as `head` does: no error. Python
        # would try to flush again at its end, so stdout goes nowhere from now on.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _asks_for_json(arguments: Sequence[str]) -> bool:
    before = list(arguments)
    if "--" in before:
        before = before[: before.index("--")]
    return "--json" in before


def _finish(invocation: Invocation) -> int:
    return invocation.output().finish()


def _bare(invocation: Invocation, error: click.exceptions.NoArgsIsHelpError) -> int:
    """A noun without its verb: the help, and in JSON a usage error."""
    if invocation.flags.get("json"):
        return _fail(invocation, click.UsageError("which command?", error.ctx))
    click.echo(error.format_message(), err=True)
    return error.exit_code


def _fail(invocation: Invocation, error: BaseException) -> int:
    # Needed by commands that fail alone.
    import logging
    import traceback

    from flair_client.cli.errors import outcome_of, with_known_commands
    from flair_client.cli.exits import INTERNAL

    out = invocation.output()
    outcome = with_known_commands(outcome_of(error), all_commands())
    if out.verbose or (outcome.exit_code == INTERNAL and not out.json_mode):
        frames = traceback.format_exception(error)
        if out.verbose:
            click.echo("".join(frames), err=True)
    logging.getLogger(__name__).debug("command failed", exc_info=error)
    return out.fail(outcome)


def main() -> None:
    """Runs `flair` with the arguments of this process."""
    # Lists of ten thousand values hold no cycles, and looking for them takes a tenth
    # of the time; in a process that lives long they are found all the same.
    gc.set_threshold(_GC_THRESHOLD)
    sys.exit(run(sys.argv[1:]))
