"""What a program cannot have is refused by name, before a chain sees it."""

import pytest

pytestmark = pytest.mark.sbf

HEADER = """
target datalayout = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"
target triple = "bpfel"
declare void @sol_set_return_data(ptr, i64)
"""

ANSWER = """
define i64 @entrypoint(ptr %input) {
  %place = getelementptr i8, ptr %input, i64 16
  %x = load i64, ptr %place
  %y = call i64 @answer(i64 %x)
  %slot = alloca i64
  store i64 %y, ptr %slot
  call void @sol_set_return_data(ptr %slot, i64 8)
  ret i64 0
}
"""


def snippet(text: str) -> str:
    """A program whose answer is that of the function `answer` for the given number."""
    return HEADER + text + ANSWER


def refusal(make, text: str) -> str:
    from sbf.errors import BuildError

    with pytest.raises(BuildError) as caught:
        make(text)
    return str(caught.value)


def framed(size: int) -> str:
    return snippet(f"""
define internal i64 @answer(i64 %x) noinline {{
  %buffer = alloca [{size} x i8], align 8
  store i64 %x, ptr %buffer
  call void @sol_set_return_data(ptr %buffer, i64 8)
  %y = load i64, ptr %buffer
  ret i64 %y
}}
""")


def test_snippet_runs(linked):
    program = linked(
        snippet("define internal i64 @answer(i64 %x) { %y = mul i64 %x, 3 ret i64 %y }")
    )
    assert program((14).to_bytes(8, "little")) == (42).to_bytes(8, "little")


def test_undefined_symbol_is_refused_by_name(linked):
    text = "declare i64 @clock_gettime(i64)\n"
    text += "define internal i64 @answer(i64 %x) {"
    text += " %y = call i64 @clock_gettime(i64 %x) ret i64 %y }"
    assert refusal(linked, snippet(text)) == "undefined symbol clock_gettime"


def test_address_of_undefined_symbol_is_refused_by_name(linked):
    # the name of a function of the runtime, but there is nothing to point to
    text = "declare void @sol_log_64_(i64, i64, i64, i64, i64)\n"
    text += "define internal i64 @answer(i64 %x) {"
    text += " %y = ptrtoint ptr @sol_log_64_ to i64 %z = add i64 %x, %y ret i64 %z }"
    assert refusal(linked, snippet(text)) == "undefined symbol sol_log_64_"


@pytest.mark.parametrize(
    ("value", "section"), [("zeroinitializer", ".bss"), ("[i64 7, i64 7]", ".data")]
)
def test_writable_static_is_refused_by_name(linked, value, section):
    text = f"""
@counters = internal global [2 x i64] {value}
define internal i64 @answer(i64 %x) {{
  %at = and i64 %x, 1
  %place = getelementptr [2 x i64], ptr @counters, i64 0, i64 %at
  %old = load volatile i64, ptr %place
  %new = add i64 %old, %x
  store volatile i64 %new, ptr %place
  ret i64 %new
}}
"""
    expected = f"writable static in section {section}: counters"
    assert refusal(linked, snippet(text)) == expected


def test_constant_with_pointers_is_allowed(linked):
    text = """
define internal i64 @double(i64 %x) noinline { %y = shl i64 %x, 1 ret i64 %y }
define internal i64 @square(i64 %x) noinline { %y = mul i64 %x, %x ret i64 %y }
@table = internal constant [2 x ptr] [ptr @double, ptr @square]
define internal i64 @answer(i64 %x) {
  %at = and i64 %x, 1
  %place = getelementptr [2 x ptr], ptr @table, i64 0, i64 %at
  %f = load volatile ptr, ptr %place
  %y = call i64 %f(i64 %x)
  ret i64 %y
}
"""
    program = linked(snippet(text))
    for number, answer in ((6, 12), (7, 49)):
        assert program(number.to_bytes(8, "little")) == answer.to_bytes(8, "little")


@pytest.mark.parametrize("size", [4096, 4097, 5000, 100_000])
def test_frame_over_the_limit_is_refused_by_name(linked, size):
    assert refusal(linked, framed(size)) == "stack frames that reach 4096 bytes: answer"


def test_largest_frame_leaves_the_callers_alone(linked):
    program = linked(framed(4088))
    assert program((77).to_bytes(8, "little")) == (77).to_bytes(8, "little")


def test_floating_point_is_refused_by_function(linked):
    text = """
define internal i64 @answer(i64 %x) noinline {
  %a = uitofp i64 %x to double
  %b = fdiv double 1.0, %a
  %c = fptoui double %b to i64
  ret i64 %c
}
"""
    said = refusal(linked, snippet(text))
    assert "in function answer" in said
    assert "built-in function" in said


def test_call_with_other_types_is_refused_by_name(linked):
    text = """
define internal i64 @other(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f) noinline {
  %y = load volatile i64, ptr inttoptr (i64 8589934592 to ptr)
  %z = add i64 %y, %f
  ret i64 %z
}
@place = internal constant ptr @other
define internal i64 @answer(i64 %x) {
  %y = call i64 @other(i64 %x)
  ret i64 %y
}
"""
    # only the pass alone: O2 would take the call for one that never happens
    from sbf import lower

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lower, "AFTER", "sbf-pack")
        said = refusal(linked, snippet(text))
    assert "a call of other with other types than its own" in said


def test_program_without_entrypoint_is_refused(linked):
    # the root of the build is the entry point, so nothing is left of this one
    text = HEADER + "define i64 @main(i64 %x) { ret i64 %x }"
    assert refusal(linked, text) == "the program defines no entrypoint"


def test_other_relocation_is_refused_by_type(assembled, tmp_path):
    from elftools.elf.elffile import ELFFile

    from sbf.relink import relink

    text = "declare i64 @sol_remaining_compute_units()\n"
    text += "define internal i64 @answer(i64 %x) {"
    text += " %y = call i64 @sol_remaining_compute_units() ret i64 %y }"
    made = assembled(snippet(text))
    with made.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".rel.text")
        kinds = [r["r_info_type"] for r in section.iter_relocations()]
        offset = section["sh_offset"]
    assert set(kinds) == {10}
    code = bytearray(made.read_bytes())
    code[offset + 8] = 3
    made.write_bytes(code)
    said = refusal(lambda path: relink(path, tmp_path / "out.so"), made)
    assert said.startswith("undefined symbol sol_")
    assert not (tmp_path / "out.so").exists()


def test_other_relocation_of_own_code_is_refused_by_type(assembled, tmp_path):
    from elftools.elf.elffile import ELFFile

    from sbf.relink import relink

    text = """
@words = internal constant [4 x i64] [i64 1, i64 2, i64 3, i64 4]
define internal i64 @answer(i64 %x) {
  %at = and i64 %x, 3
  %place = getelementptr [4 x i64], ptr @words, i64 0, i64 %at
  %y = load i64, ptr %place
  ret i64 %y
}
"""
    made = assembled(snippet(text))
    with made.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".rel.text")
        kinds = [r["r_info_type"] for r in section.iter_relocations()]
        offset = section["sh_offset"]
    code = bytearray(made.read_bytes())
    code[offset + 16 * kinds.index(1) + 8] = 4
    made.write_bytes(code)
    said = refusal(lambda path: relink(path, tmp_path / "out.so"), made)
    assert said.startswith("relocation of type 4 against ")


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"not an object" * 20])
def test_file_that_is_no_object_is_refused_by_name(tmp_path, data):
    from sbf.relink import relink

    source = tmp_path / "thing.o"
    source.write_bytes(data)
    said = refusal(lambda path: relink(path, tmp_path / "out.so"), source)
    assert said.startswith(f"{source} is no BPF object")


def test_object_of_another_machine_is_refused(tmp_path):
    import sys
    from pathlib import Path

    from elftools.elf.elffile import ELFFile

    from sbf.relink import relink

    python = Path(sys.executable).resolve()
    with python.open("rb") as file:
        kind = ELFFile(file)["e_type"]
    said = refusal(lambda path: relink(path, tmp_path / "out.so"), python)
    assert said == f"{python} is no BPF object: EM_X86_64, {kind}"
