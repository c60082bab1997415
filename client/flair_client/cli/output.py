"""What a command says: results to stdout, everything else to stderr.

With `--json` stdout carries exactly one line, the envelope, whatever happens. A command
that goes on for long tells of each event in a line before it.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from flair_client.cli.jsonable import envelope, to_json
from flair_client.cli.text import printable_lines

if TYPE_CHECKING:
    from flair_client.cli.errors import Outcome


@dataclass(slots=True)
class Output:
    """The mouth of one command.

    Attributes:
        command: its name, as `repo create`.
        json_mode: print the envelope instead of text.
        quiet: say only results and errors.
        verbose: say details.
        color: colours may be used on a terminal.
        exit_code: what the process ends with; set by `result`.
    """

    command: str = ""
    json_mode: bool = False
    quiet: bool = False
    verbose: bool = False
    color: bool = True
    exit_code: int = 0
    _message: str | None = None
    _value: Any = None
    _flat: bool = False
    _done: bool = field(default=False)

    def result(
        self,
        value: Any,
        text: str | Callable[[], str] | None = None,
        *,
        exit_code: int = 0,
        message: str | None = None,
        now: bool = False,
        flat: bool = False,
    ) -> None:
        """Gives the command's result.

        Args:
            value: a frozen value for JSON.
            text: what people read; called only where they do.
            exit_code: 1 for a negative answer, 5 for a failed verification.
            message: one sentence for the envelope, where the exit code is not 0.
            now: print at once, for a command that stays in the foreground.
            flat: the value's fields stand beside the envelope's as well.
        """
        self._flat = flat
        self._value = value
        self.exit_code = exit_code
        self._message = message
        if not self.json_mode:
            shown = text() if callable(text) else text
            if shown:
                click.echo(shown)
            if now:
                sys.stdout.flush()
        elif now:
            self._print(envelope(self.command, exit_code=exit_code, result=value))

    def line(self, text: str) -> None:
        """Prints one line of a result that grows, where people read it."""
        if not self.json_mode:
            click.echo(text)

    def event(self, name: str, value: Any, text: Callable[[], str]) -> None:
        """Tells at once what happened while the command goes on.

        With `--json` that is a line of its own before the envelope, with `event`
        instead of the envelope's outcome.

        Args:
            name: of the kind of event.
            value: a frozen value for JSON.
            text: what people read.
        """
        if self.json_mode:
            line = {"schema_version": 1, "command": self.command, "event": name}
            line[name] = to_json(value)
            click.echo(json.dumps(line, ensure_ascii=False, allow_nan=False))
        else:
            click.echo(text())
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Tells something in passing; silent with `--quiet`."""
        if not self.quiet:
            click.echo(text, err=True)

    def detail(self, text: str) -> None:
        """Tells something only with `--verbose`."""
        if self.verbose:
            click.echo(text, err=True)

    def warn(self, text: str) -> None:
        """Warns; never silent."""
        click.echo(self._styled("warning: ", "yellow") + _shown(text), err=True)

    def finish(self) -> int:
        """Ends a command that ran through; gives its exit code."""
        if self.json_mode and not self._done:
            line = envelope(
                self.command,
                exit_code=self.exit_code,
                message=self._message,
                result=self._value,
            )
            self._print({**line["result"], **line} if self._flat else line)
        sys.stdout.flush()
        return self.exit_code

    def fail(self, outcome: "Outcome") -> int:
        """Ends a command that failed; gives its exit code."""
        if outcome.exit_code != 0 and outcome.message:
            self._tell(outcome)
        if self.json_mode and not self._done:
            self._print(
                envelope(
                    self.command,
                    exit_code=outcome.exit_code,
                    error_code=outcome.error_code,
                    message=outcome.message,
                    hint=outcome.hint,
                    result=self._value,
                )
            )
        sys.stdout.flush()
        return outcome.exit_code

    def _tell(self, outcome: "Outcome") -> None:
        if self.json_mode and not self._done:
            return
        message = _shown(outcome.message)
        click.echo(self._styled("error: ", "red") + message, err=True)
        if outcome.hint:
            click.echo(self._styled("hint: ", "cyan") + outcome.hint, err=True)

    def _styled(self, text: str, color: str) -> str:
        return click.style(text, fg=color, bold=True) if self.color else text

    def _print(self, line: dict[str, Any]) -> None:
        self._done = True
        text = json.dumps(line, ensure_ascii=False, allow_nan=False)
        click.echo(text)
        sys.stdout.flush()


def _shown(text: str) -> str:
    """A message, which may quote a server, a file or a commit, with nothing to obey."""
    return "\n".join(printable_lines(text))


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lays out rows in columns; numbers to the right."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [
        max(len(cell) for cell in column) for column in zip(header, *texts, strict=True)
    ]
    numeric = [
        bool(rows) and all(isinstance(row[place], int | float) for row in rows)
        for place in range(len(header))
    ]
    lines = []
    for row in (list(header), *texts):
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def fields(pairs: Sequence[tuple[str, object]]) -> str:
    """Lays out names and values, a pair a line; None is left out."""
    shown = [(name, str(value)) for name, value in pairs if value is not None]
    width = max((len(name) for name, _ in shown), default=0) + 2
    return "\n".join(f"{name.ljust(width)}{value}" for name, value in shown)
