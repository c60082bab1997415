import sys

import pytest

from flair_client.errors import UsageError
from flair_client.user_code import import_object

CODE = """
class Model:
    made = 0
    def __init__(self):
        Model.made += 1

class Callable:
    def __call__(self):
        raise RuntimeError

def make():
    return "made"

def needs(what):
    return what

ready = Callable()
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine_p").mkdir()
    (tmp_path / "mine_p" / "__init__.py").write_text("")
    (tmp_path / "mine_p" / "models.py").write_text(CODE)
    (tmp_path / "broken_p.py").write_text("raise ValueError('no\\nmore')")
    (tmp_path / "wants_p.py").write_text("import there_is_no_such_thing")
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0].endswith("_p")]:
        del sys.modules[name]


def test_a_class_or_function_makes_the_object(folder):
    path = list(sys.path)

    found = import_object("mine_p.models:Model", folder)

    assert type(found.value).made == 1
    assert found.file == str(folder / "mine_p" / "models.py")
    assert import_object("mine_p.models:make", folder).value == "made"
    assert sys.path == path


def test_an_object_is_taken_as_it_is(folder):
    found = import_object("mine_p.models:ready", folder)

    assert type(found.value).__name__ == "Callable"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("mine_p.models", "not of the form"),
        ("mine_p.models:", "not of the form"),
        (":make", "not of the form"),
        ("mine_p/models.py:make", "not of the form"),
        ("nowhere_p:make", "there is no module 'nowhere_p'"),
        ("mine_p.nowhere:make", "there is no module 'mine_p.nowhere'"),
        ("wants_p:make", "there is no module 'there_is_no_such_thing'"),
        ("mine_p.models:none", "mine_p.models has no 'none'"),
        ("mine_p.models:needs", r"needs\(\) failed: TypeError: needs\(\) missing"),
        ("broken_p:make", "importing broken_p failed: ValueError: no$"),
    ],
)
def test_code_that_cannot_be_used(folder, name, sentence):
    with pytest.raises(UsageError, match=sentence):
        import_object(name, folder)
