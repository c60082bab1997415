"""The interface is put together from what an Anchor program's tests print."""

import json

import pytest

pytestmark = pytest.mark.sbf

ADDRESS = "FLRK2f6aX5SoVuziobDG3LMD6TKc3nuVxECVhM5x2CBT"


def section(kind: str, value) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return (
        f"running 1 test\n--- IDL begin {kind} ---\n{text}\n--- IDL end {kind} ---\n.\n"
    )


def program(**changes):
    made = {
        "address": "",
        "metadata": {"name": "thing", "version": "0.1.0", "spec": "0.1.0"},
        "instructions": [
            {"name": "shut", "discriminator": [2] * 8, "accounts": [], "args": []},
            {"name": "open", "discriminator": [1] * 8, "accounts": [], "args": []},
        ],
        "accounts": [{"name": "Door", "discriminator": [3] * 8}],
        "types": [{"name": "thing::state::Door", "type": {"kind": "struct"}}],
    }
    return made | changes


def event(name: str, byte: int, *types: str):
    return {
        "event": {"name": name, "discriminator": [byte] * 8},
        "types": [{"name": name, "type": {"kind": "struct"}} for name in types],
    }


def printed(*parts: str, made=None) -> str:
    return (
        section("address", ADDRESS)
        + section("program", made or program())
        + "".join(parts)
    )


def assembled(output: str):
    from sbf.idl import assemble, read_parts

    return assemble(read_parts(output))


def refused(output: str) -> str:
    from sbf.errors import BuildError

    with pytest.raises(BuildError) as caught:
        assembled(output)
    return str(caught.value)


def test_parts_are_sorted_and_joined():
    errors = [{"code": 6001, "name": "B"}, {"code": 6000, "name": "C"}]
    idl = assembled(
        printed(
            section("event", event("Shut", 9, "Shut", "Cause")),
            section("event", event("Opened", 8, "Opened", "Cause")),
            section("errors", errors),
            section("errors", [{"code": 6100, "name": "A"}]),
            section("const", {"name": "Z", "type": "u8", "value": "1"}),
            section("const", {"name": "Y", "type": "u8", "value": "2"}),
        )
    )
    assert idl["address"] == ADDRESS
    assert [i["name"] for i in idl["instructions"]] == ["open", "shut"]
    assert [e["name"] for e in idl["events"]] == ["Opened", "Shut"]
    assert [e["code"] for e in idl["errors"]] == [6000, 6001, 6100]
    assert [c["name"] for c in idl["constants"]] == ["Y", "Z"]
    assert sorted(t["name"] for t in idl["types"]) == [
        "Cause",
        "Door",
        "Opened",
        "Shut",
    ]


def test_paths_that_would_collide_stay_long():
    types = [{"name": "a::State", "type": {}}, {"name": "b::State", "type": {}}]
    idl = assembled(printed(made=program(types=types)))
    assert [t["name"] for t in idl["types"]] == ["a::State", "b::State"]


def test_order_of_tests_does_not_matter():
    parts = [
        section("event", event(name, byte, name)) for name, byte in (("A", 8), ("B", 9))
    ]
    assert assembled(printed(*parts)) == assembled(printed(*parts[::-1]))


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("running 0 tests\n", "the crate printed no program and address"),
        (section("program", program()), "the crate printed no program and address"),
        (printed(section("event", "{")), "the interface part 'event' is no JSON"),
        (printed(section("colour", [])), "the interface part 'colour' is unknown"),
        (
            printed("--- IDL begin errors ---\n[]\n"),
            "the interface part 'errors' is not closed",
        ),
        (
            printed(section("event", event("A", 8)), section("event", event("B", 8))),
            "events A and B begin with the same bytes",
        ),
        (
            printed(
                section("errors", [{"code": 1, "name": "A"}, {"code": 1, "name": "B"}])
            ),
            "errors A and B share the code 1",
        ),
        (
            printed(
                made=program(metadata={"name": "x", "version": "1", "spec": "0.2.0"})
            ),
            "the interface follows specification 0.2.0, not 0.1.0",
        ),
    ],
)
def test_wrong_output_is_refused_by_part(output, said):
    assert refused(output).startswith(said)
