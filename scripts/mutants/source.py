"""Finds what can be removed from the program's sources: checks and constraints.

The sources are rustfmt's, so a binary operator has a space on either side, which
generics, references and shifts within paths never have; that makes a scanner enough.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OPEN: Final = "([{"
CLOSE: Final = ")]}"
COMPARISONS: Final = {
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "==": "!=",
    "!=": "==",
}
# What an operand of a comparison or of `&&` cannot reach beyond.
STOPS: Final = (" && ", " || ", " = ", " => ", " if ", "return ", "|| ", "while ")


@dataclass(frozen=True, slots=True, order=True)
class Mutation:
    """One thing to take away.

    Attributes:
        file: path below the crate.
        line: line of its first character, from 1.
        kind: `check` (a statement), `operand` (of `&&`), `comparison`, `arithmetic`,
            `assignment`, `constraint`, `address`: switched at run time; `attribute`,
            `signer`: built.
        text: the code, on one line.
        start, end: its place in the file.
        middle: place of the operator of comparisons and arithmetic, and of the
            expression of constraints.
        key: the same as long as file, kind and code are.
    """

    file: str
    line: int
    start: int
    end: int
    kind: str
    text: str
    middle: tuple[int, int] = (0, 0)
    key: str = ""

    @property
    def is_switched(self) -> bool:
        """Whether one build holds it, switched off and on by a number."""
        return self.kind not in ("attribute", "signer")

    @property
    def place(self) -> str:
        """File and line."""
        return f"{self.file}:{self.line}"


def find_mutations(crate: Path) -> list[Mutation]:
    """Lists the mutations of all sources of a crate, in order, with their keys."""
    found: list[Mutation] = []
    for path in sorted((crate / "src").rglob("*.rs")):
        name = path.relative_to(crate).as_posix()
        found += _with_keys(sorted(_mutations(name, path.read_text())))
    return found


def _with_keys(mutations: list[Mutation]) -> list[Mutation]:
    """Keys survive moved lines: file, kind and code, numbered where they repeat."""
    seen: dict[str, int] = {}
    keyed = []
    for each in mutations:
        label = f"{each.file} {each.kind} {each.text}"
        seen[label] = seen.get(label, 0) + 1
        digest = hashlib.sha256(f"{label} {seen[label]}".encode()).hexdigest()
        keyed.append(
            Mutation(
                each.file,
                each.line,
                each.start,
                each.end,
                each.kind,
                each.text,
                each.middle,
                digest[:10],
            )
        )
    return keyed


def mask(text: str) -> str:
    """Blanks comments, strings and the tests, keeping every place."""
    pattern = re.compile(
        r"//[^\n]*|/\*.*?\*/|b?\"(?:[^\"\\]|\\.)*\"|b?'(?:[^'\\]|\\.)'", re.DOTALL
    )
    masked = pattern.sub(lambda match: " " * len(match[0]), text)
    tests = masked.find("#[cfg(test)]\nmod ")
    return masked if tests < 0 else masked[:tests] + " " * (len(masked) - tests)


def _mutations(name: str, text: str) -> Iterator[Mutation]:
    masked = mask(text)

    def make(
        kind: str, start: int, end: int, middle: tuple[int, int] = (0, 0)
    ) -> Mutation:
        code = " ".join(text[start:end].split())
        return Mutation(
            name, text.count("\n", 0, start) + 1, start, end, kind, code, middle
        )

    bodies = list(function_bodies(masked))
    for start, end in bodies:
        for low, high, kind in _statements(masked, start, end):
            yield make(kind, low, high)
        for low, high in _operands(masked, start, end):
            yield make("operand", low, high)
        for low, high, middle in _comparisons(masked, start, end):
            yield make("comparison", low, high, middle)
        for match in re.finditer(r"\.checked_(?:add|sub|mul)\(", masked[start:end]):
            low = start + match.start()
            high = closing(masked, start + match.end() - 1) + 1
            yield make("arithmetic", low, high, (low, start + match.end()))
    for kind, low, high, middle in _attribute_items(masked):
        yield make(kind, low, high, middle)
    for match in re.finditer(r": (Signer),", masked):
        yield make("signer", match.start(1), match.end(1))


def closing(masked: str, at: int) -> int:
    """Gives the place of the bracket that closes the one at `at`."""
    depth = 0
    for place in range(at, len(masked)):
        if masked[place] in OPEN:
            depth += 1
        elif masked[place] in CLOSE:
            depth -= 1
            if depth == 0:
                return place
    raise ValueError(f"bracket at {at} is never closed")


def function_bodies(masked: str) -> Iterator[tuple[int, int]]:
    """Gives the inside of each function that is not evaluated by the compiler."""
    for match in re.finditer(r"(?:(const) )?(?:unsafe )?fn \w+", masked):
        if match[1]:
            continue
        depth, place = 0, match.end()
        while place < len(masked):
            char = masked[place]
            if char in "([":
                depth += 1
            elif char in ")]":
                depth -= 1
            elif char == ";" and depth == 0:
                break
            elif char == "{" and depth == 0:
                yield place + 1, closing(masked, place)
                break
            place += 1


def _statements(masked: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """Statements that check something or assign to a place, without `let`."""
    at = start
    while at < end:
        while at < end and masked[at] in " \n;{}":
            at += 1
        stop = at
        while stop < end and masked[stop] not in ";{}":
            stop = closing(masked, stop) + 1 if masked[stop] in "([" else stop + 1
        if stop < end and masked[stop] == ";":
            code = masked[at:stop]
            if re.match(r"require\w*!", code):
                yield at, stop + 1, "check"
            elif code.endswith("?") and not re.match(r"(let|return)\b", code):
                if not _top_level(code, " = "):
                    yield at, stop + 1, "check"
            elif re.match(r"\*?[a-z_][\w.]* (=|\+=|-=) ", code):
                yield at, stop + 1, "assignment"
        at = stop + 1


def _top_level(code: str, wanted: str) -> bool:
    depth = 0
    for place, char in enumerate(code):
        depth += (char in OPEN) - (char in CLOSE)
        if depth == 0 and code.startswith(wanted, place):
            return True
    return False


def _operand_start(masked: str, at: int, low: int) -> int:
    depth, place = 0, at
    while place > low:
        char = masked[place - 1]
        if char in CLOSE:
            depth += 1
        elif char in OPEN:
            if depth == 0:
                break
            depth -= 1
        elif depth == 0 and char in ",;":
            break
        if depth == 0 and any(masked.endswith(stop, low, place) for stop in STOPS):
            break
        place -= 1
    while masked[place] in " \n":
        place += 1
    return place


def _is_stop(masked: str, low: int, place: int) -> bool:
    """Whether an operand begins here; `|x| ` opens a closure, ` | ` joins bits."""
    is_closure = masked.endswith("| ", low, place) and masked[place - 3] != " "
    return is_closure or any(masked.endswith(stop, low, place) for stop in STOPS)


def _operand_end(masked: str, at: int, high: int) -> int:
    depth, place = 0, at
    while place < high:
        char = masked[place]
        if depth == 0 and (char in CLOSE or char in ",;{"):
            break
        flat = masked[place : place + 4].replace("\n", " ")
        if depth == 0 and any(flat.startswith(stop) for stop in STOPS):
            break
        depth += (char in OPEN) - (char in CLOSE)
        place += 1
    while masked[place - 1] in " \n":
        place -= 1
    return place


def _operands(masked: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Each operand of `&&`: taking it away makes the condition weaker."""
    flat = masked.replace("\n", " ")
    found: set[tuple[int, int]] = set()
    for match in re.finditer(r" && ", flat[start:end]):
        left, right = start + match.start(), start + match.end()
        found.add(_trim(flat, _operand_start(flat, left, start), left))
        found.add(_trim(flat, right, _operand_end(flat, right, end)))
    yield from sorted(found)


def _trim(flat: str, low: int, high: int) -> tuple[int, int]:
    while flat[high - 1] == " ":
        high -= 1
    while flat[low] == " ":
        low += 1
    return low, high


def _comparisons(
    masked: str, start: int, end: int
) -> Iterator[tuple[int, int, tuple[int, int]]]:
    flat = masked.replace("\n", " ")
    for match in re.finditer(r" (<=?|>=?|==|!=) ", flat[start:end]):
        left, right = start + match.start(), start + match.end()
        low = _operand_start(flat, left, start)
        high = _operand_end(flat, right, end)
        yield low, high, (start + match.start(1), start + match.end(1))


def _attribute_items(
    masked: str,
) -> Iterator[tuple[str, int, int, tuple[int, int]]]:
    """Items of `#[account(…)]` that do something; `seeds` goes with its `bump`.

    `unsafe(dup)` means `mut` too, so `mut` beside it is taken away with it; that
    `unsafe(dup)` alone is taken away is another mutation.

    Of `constraint` and `address` the expression between `=` and `@` is given too.
    """
    for match in re.finditer(r"#\[account\(", masked):
        low, high = match.end(), closing(masked, match.end() - 1)
        items = list(_split(masked, low, high))
        bump = next((i for i in items if masked[i[0] : i[1]].startswith("bump")), None)
        for at, (start, end) in enumerate(items):
            code = masked[start:end]
            following = items[at + 1] if at + 1 < len(items) else (end, end)
            if code == "mut" and masked[slice(*following)] == "unsafe(dup)":
                yield "attribute", start, following[1], (0, 0)
                continue
            if re.match(r"(init|payer|space|bump)", code):
                continue
            checked = re.match(
                r"(constraint|address) = (.*?)( @ .*)?$", code, re.DOTALL
            )
            if checked:
                middle = start + checked.start(2), start + checked.end(2)
                yield checked[1], start, end, middle
            elif code.startswith("seeds") and bump is not None:
                yield "attribute", start, max(end, bump[1]), (0, 0)
            else:
                yield "attribute", start, end, (0, 0)


def _split(masked: str, low: int, high: int) -> Iterator[tuple[int, int]]:
    at = low
    while at < high:
        while at < high and masked[at] in " \n,":
            at += 1
        stop = at
        while stop < high and masked[stop] != ",":
            stop = closing(masked, stop) + 1 if masked[stop] in OPEN else stop + 1
        if stop > at:
            yield at, stop
        at = stop
