"""Documentation and parser agree, in both directions."""

import importlib.util
import re
import shlex
from pathlib import Path

import click
import pytest

from flair_client.chain.errors import PROGRAM_ERRORS
from flair_client.cli.app import root_command
from flair_client.cli.errors import _TABLE
from flair_client.cli.program_remedies import PROGRAM
from flair_client.cli.registry import BUILT_IN, all_commands

# A plug-in that is not installed has nothing to show.
NAMES = [
    name
    for name, entry in all_commands().items()
    if importlib.util.find_spec(entry.target.partition(".")[0])
    and importlib.util.find_spec(entry.target.partition(":")[0])
]
DOCS = Path(__file__).parents[3] / "docs"
PAGES = DOCS / "commands"


def load(name):
    root = root_command()
    return root.get_command(click.Context(root, info_name="flair"), name)


def verbs(name):
    """Gives every command of a page by its whole name."""
    found = load(name)
    if isinstance(found, click.Group):
        return {f"{name} {verb}": item for verb, item in found.commands.items()}
    return {name: found}


def options(found):
    names = set()
    for param in found.params:
        if isinstance(param, click.Option):
            names |= {*param.opts, *param.secondary_opts}
    return names | {"-h", "--help"}


@pytest.mark.parametrize("name", NAMES)
def test_each_command_is_there_and_listed_as_it_describes_itself(name):
    first_line = " ".join((load(name).help or "").split("\n\n")[0].split())

    assert all_commands()[name].help == first_line


@pytest.mark.parametrize("name", NAMES)
def test_each_command_has_a_page_with_every_option(name):
    page = (PAGES / f"{name}.md").read_text()

    for whole_name, found in verbs(name).items():
        assert f"flair {whole_name}" in page
        for param in found.params:
            if isinstance(param, click.Option) and param.expose_value:
                for option in (*param.opts, *param.secondary_opts):
                    if option.startswith("--"):
                        assert option in page, f"flair {whole_name} {option}"


@pytest.mark.parametrize("name", NAMES)
def test_each_option_of_a_page_exists(name):
    page = (PAGES / f"{name}.md").read_text()
    known = set().union(*(options(found) for found in verbs(name).values()))
    # An option of another command is written with that command.
    own = re.sub(r"flair (?!" + name + r"\b)[a-z]+[^`\n]*", "", page)

    for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", own):
        assert option in known, option


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda path: path.stem)
def test_each_page_belongs_to_a_command(page):
    assert page.stem in all_commands()


def examples():
    lines = []
    for page in sorted(PAGES.glob("*.md")):
        blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
        lines += [
            (page.stem, line.strip())
            for block in blocks
            for whole in block.splitlines()
            for line in re.split(r"&&|;|\||^\$ ", whole)
            if line.strip().startswith("flair ")
        ]
    return lines


@pytest.mark.parametrize(("page", "line"), examples())
def test_each_example_of_a_page_parses(page, line):
    words = shlex.split(line, comments=True)[1:]
    found = root_command()
    place = click.Context(found, info_name="flair")
    while isinstance(found, click.Group) and words and not words[0].startswith("-"):
        _, found, words = found.resolve_command(place, words)

    known = options(found)
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in known, line


@pytest.mark.parametrize("name", NAMES)
def test_each_verb_has_an_example_and_a_help_text(name):
    for whole_name, found in verbs(name).items():
        assert found.examples, whole_name
        assert found.help, whole_name
        for param in found.params:
            if isinstance(param, click.Option):
                assert param.help, f"flair {whole_name} {param.opts}"


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_verb_says_what_its_result_is(name):
    for whole_name, found in verbs(name).items():
        assert found.result is not None, whole_name


def test_each_exit_code_is_documented():
    text = (DOCS / "exit-codes.md").read_text()
    codes = {code for code, _ in (*_TABLE.values(), *PROGRAM.values())}

    for code in codes | {0, 70, 130}:
        assert f"## {code}: " in text


def test_each_error_of_the_tree_has_an_exit_code_of_its_family():
    from flair_client import errors

    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.FlairError)
    ]
    families = {errors.FlairError, errors.ProgramRefused, errors.RpcRefused}

    for kind in kinds:
        near = [base for base in kind.__mro__ if base in _TABLE]
        assert near[0] is not errors.FlairError or kind in families, kind


def test_each_hint_about_a_noun_names_a_real_verb():
    hints = [hint or "" for _, hint in (*_TABLE.values(), *PROGRAM.values())]

    for hint in hints:
        for words in re.findall(r"`flair ([a-z ]+)", hint):
            name, *rest = words.split()
            if rest and name in NAMES and isinstance(load(name), click.Group):
                assert rest[0] in load(name).commands, hint


def test_hints_about_the_program_name_its_errors():
    protocol = (DOCS / "protocol.md").read_text()

    for name in PROGRAM:
        assert f"| {name} |" in protocol


def test_each_error_of_the_program_has_a_remedy():
    names = {name for name, _ in PROGRAM_ERRORS.values()}

    assert names == set(PROGRAM)
    assert all(remedy for _, remedy in PROGRAM.values())


def test_every_module_of_the_commands_is_registered():
    folder = Path(importlib.util.find_spec("flair_client.cli").origin).parent
    targets = {entry.target for entry in BUILT_IN.values()}

    for path in folder.glob("*.py"):
        if "_command(" in path.read_text() and path.stem not in ("app", "command"):
            assert f"flair_client.cli.{path.stem}:{path.stem}_command" in targets
