"""Writes a copy of the workspace in which mutations can be taken.

Switched mutations ask `crate::mutant::is_on(n)`, which reads a number from the built
program; patching that number chooses the mutant without building again.
"""

import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from mutants.source import COMPARISONS, Mutation

MAGIC: Final = b"flair mutant: \xff\xff"
NUMBER_SIZE: Final = 2

RUNTIME: Final = r"""
//! Which mutation is on. Written by scripts/mutate-program.
#![allow(missing_docs)]
use anchor_lang::prelude::*;

#[used]
#[no_mangle]
static FLAIR_MUTANT: [u8; 16] = *b"flair mutant: \xff\xff";

#[inline(never)]
pub fn is_on(number: u16) -> bool {
    // SAFETY: both bytes lie within the static. Volatile: unknown to the compiler.
    let chosen = unsafe {
        let place = core::hint::black_box(&FLAIR_MUTANT).as_ptr();
        u16::from_le_bytes([
            core::ptr::read_volatile(place.add(14)),
            core::ptr::read_volatile(place.add(15)),
        ])
    };
    chosen == number
}

#[macro_export]
macro_rules! mutant_compare {
    ($number:expr, $left:expr, $old:tt, $new:tt, $right:expr) => {
        if $crate::mutant::is_on($number) {
            $left $new $right
        } else {
            $left $old $right
        }
    };
}

/// Arithmetic that wraps around where the mutation is on.
pub trait MutantMath<Rhs>: Sized {
    fn mutant_checked_add(self, number: u16, rhs: Rhs) -> Option<Self>;
    fn mutant_checked_sub(self, number: u16, rhs: Rhs) -> Option<Self>;
    fn mutant_checked_mul(self, number: u16, rhs: Rhs) -> Option<Self>;
}

macro_rules! native {
    ($($name:ty),*) => {$(impl MutantMath<$name> for $name {
        fn mutant_checked_add(self, number: u16, rhs: $name) -> Option<Self> {
            if is_on(number) {
                Some(self.wrapping_add(rhs))
            } else {
                self.checked_add(rhs)
            }
        }
        fn mutant_checked_sub(self, number: u16, rhs: $name) -> Option<Self> {
            if is_on(number) {
                Some(self.wrapping_sub(rhs))
            } else {
                self.checked_sub(rhs)
            }
        }
        fn mutant_checked_mul(self, number: u16, rhs: $name) -> Option<Self> {
            if is_on(number) {
                Some(self.wrapping_mul(rhs))
            } else {
                self.checked_mul(rhs)
            }
        }
    })*};
}
native!(u8, u16, u32, u64, u128, usize, i64);

macro_rules! pod {
    ($($name:ty),*) => {$(impl<Rhs: Into<$name>> MutantMath<Rhs> for $name {
        fn mutant_checked_add(self, number: u16, rhs: Rhs) -> Option<Self> {
            self.get().mutant_checked_add(number, rhs.into().get()).map(Self::from)
        }
        fn mutant_checked_sub(self, number: u16, rhs: Rhs) -> Option<Self> {
            self.get().mutant_checked_sub(number, rhs.into().get()).map(Self::from)
        }
        fn mutant_checked_mul(self, number: u16, rhs: Rhs) -> Option<Self> {
            self.get().mutant_checked_mul(number, rhs.into().get()).map(Self::from)
        }
    })*};
}
pod!(PodU16, PodU32, PodU64, PodU128, PodI64);
"""


def copy_workspace(root: Path, target: Path) -> Path:
    """Copies what cargo needs; gives the copied crate's folder."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in ("Cargo.toml", "Cargo.lock"):
        if (root / name).is_file():
            shutil.copy2(root / name, target / name)
    shutil.copytree(root / "programs", target / "programs")
    return target / "programs" / "flair"


def switch_on_demand(crate: Path, numbered: Mapping[int, Mutation]) -> None:
    """Rewrites the sources so that each mutation can be switched on."""
    by_file: dict[str, dict[int, Mutation]] = {}
    for number, mutation in numbered.items():
        by_file.setdefault(mutation.file, {})[number] = mutation
    for name, mutations in by_file.items():
        path = crate / name
        text = _apply(path.read_text(), _switches(path.read_text(), mutations))
        path.write_text(_with_import(text))
    (crate / "src" / "mutant.rs").write_text(RUNTIME.lstrip())
    lib = crate / "src" / "lib.rs"
    text = lib.read_text()
    first = "\n#[macro_use]\npub mod mutant;\npub mod "
    lib.write_text(text.replace("\npub mod ", first, 1))


def _with_import(text: str) -> str:
    """Brings the wrapping arithmetic into scope, behind the inner comments."""
    lines = text.split("\n")
    at = next(
        number
        for number, line in enumerate(lines)
        if line.startswith(("use ", "pub use ", "pub mod ", "mod "))
    )
    lines.insert(at, "#[allow(unused_imports)] use crate::mutant::MutantMath as _;")
    return "\n".join(lines)


def _switches(
    text: str, mutations: Mapping[int, Mutation]
) -> Iterable[tuple[int, int, int, str]]:
    """Edits as (place, order, length replaced, new text); outer ones open first."""
    for number, each in mutations.items():
        outer = -(each.end - each.start)
        if each.kind in ("check", "assignment"):
            yield each.start, outer, 0, f"if !crate::mutant::is_on({number}) {{ "
            yield each.end, -outer, 0, " }"
        elif each.kind == "operand":
            yield each.start, outer, 0, f"(crate::mutant::is_on({number}) || ("
            yield each.end, -outer, 0, "))"
        elif each.kind == "comparison":
            low, high = each.middle
            old = text[low:high]
            # In brackets, so that what stands around it keeps its meaning.
            opening = f"(crate::mutant_compare!({number}, "
            yield each.start, outer + 1, 0, opening
            yield low, 0, high - low, f", {old}, {COMPARISONS[old]}, "
            yield each.end, -outer - 1, 0, "))"
        elif each.kind == "constraint":
            low, high = each.middle
            yield low, -(high - low), 0, f"(crate::mutant::is_on({number}) || ("
            yield high, high - low, 0, "))"
        elif each.kind == "address":
            low, high = each.middle
            # Compared with itself where the mutation is on.
            own = f"*{_field_behind(text, each.end)}.account().address()"
            switch = f"(if crate::mutant::is_on({number}) {{ {own} }} else {{ "
            yield low, -(high - low), 0, switch
            yield high, high - low, 0, " })"
        elif each.kind == "arithmetic":
            low, high = each.middle
            call = text[low + 1 : high]
            yield low, 0, high - low, f".mutant_{call}{number}, "


def _field_behind(text: str, at: int) -> str:
    """Gives the name of the field that an attribute stands before."""
    found = re.search(r"^\s*pub (\w+):", text[at:], re.MULTILINE)
    if found is None:
        raise ValueError("an attribute without its field")
    return found[1]


def _apply(text: str, edits: Iterable[tuple[int, int, int, str]]) -> str:
    pieces, at = [], 0
    for place, _, length, new in sorted(edits, key=lambda edit: edit[:2]):
        if place < at:
            raise ValueError(f"two mutations replace the same code at {place}")
        pieces += [text[at:place], new]
        at = place + length
    return "".join([*pieces, text[at:]])


def drop(crate: Path, mutations: Sequence[Mutation]) -> None:
    """Removes attribute items and signer types from the sources."""
    by_file: dict[str, list[Mutation]] = {}
    for mutation in mutations:
        by_file.setdefault(mutation.file, []).append(mutation)
    for name, chosen in by_file.items():
        path = crate / name
        text = path.read_text()
        for each in sorted(chosen, key=lambda mutation: -mutation.start):
            new = "UncheckedAccount" if each.kind == "signer" else ""
            end = each.end
            if not new:
                while text[end] in ", \n":
                    end += 1
            text = text[: each.start] + new + text[end:]
        path.write_text(text)
