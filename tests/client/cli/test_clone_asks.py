"""`flair clone` and `flair trust` in a terminal: shown, asked, then trusted."""

import contextlib
import os
import pty
import select
import signal
import sys

import pytest
from work_world import running_net

CTRL_C = b"\x03"
PATIENCE_S = 3.0
LOOKS = 200


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with running_net(tmp_path_factory.mktemp("net")) as made:
        yield made


@pytest.fixture(scope="module")
def heart(net):
    return net.publish(net.person("owner"), "heart")


@pytest.fixture
def site(net, request):
    return net.person(request.node.name.replace("[", "-").replace("]", ""))


def in_terminal(person, *arguments, answer, cwd=None):
    """Runs `flair` in a terminal of its own and answers its question.

    Gives exit code and everything that was shown.
    """
    command = [sys.executable, "-m", "flair_client.cli", *map(str, arguments)]
    command += ["--home", str(person.home), "--no-progress"]
    pid, main = pty.fork()
    if pid == 0:
        # A shell's background job ignores both, and would hand that on.
        for one in (signal.SIGINT, signal.SIGHUP):
            signal.signal(one, signal.SIG_DFL)
        os.chdir(cwd or person.folder)
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    shown = b""
    asked = False
    # The terminal is gone when the child has ended.
    with contextlib.suppress(OSError):
        for _ in range(LOOKS):
            if not select.select([main], [], [], PATIENCE_S)[0]:
                # Python does not see a Ctrl-C that comes just before it begins to
                # wait for a key, so whoever waits in vain presses it again.
                if asked and answer == CTRL_C:
                    os.write(main, answer)
                continue
            part = os.read(main, 65536)
            if not part:
                break
            shown += part
            if not asked and b"[y/N]" in shown:
                asked = True
                os.write(main, answer)
    os.close(main)
    _, status = os.waitpid(pid, 0)
    assert asked, shown
    return os.waitstatus_to_exitcode(status), shown.decode()


@pytest.mark.parametrize(("answer", "trusted"), [(b"y\n", True), (b"n\n", False)])
def test_clone_shows_what_is_to_be_trusted_and_asks(site, heart, answer, trusted):
    code, shown = in_terminal(site, "clone", heart, answer=answer)

    assert code == 0, shown
    for told in ("owner", "policy.norm_bound_sq", "min_rows = 10", "Do you trust"):
        assert told in shown
    assert ("not trusted yet" in shown) is not trusted
    assert site.json("trust", cwd=site.folder / "heart")["accepted"] is trusted


def test_ctrl_c_at_the_question_leaves_a_clone_that_is_not_trusted(site, heart):
    code, shown = in_terminal(site, "clone", heart, answer=CTRL_C)

    folder = site.folder / "heart"
    assert code == 130, shown
    assert not site.json("trust", cwd=folder)["accepted"]
    again, shown = in_terminal(site, "clone", heart, answer=b"y\n")
    assert again == 0
    assert site.json("trust", cwd=folder)["accepted"]


def test_trust_asks_and_no_is_a_negative_answer(site, heart):
    site.json("clone", heart)
    folder = site.folder / "heart"

    refused, _ = in_terminal(site, "trust", answer=b"n\n", cwd=folder)
    accepted, _ = in_terminal(site, "trust", answer=b"y\n", cwd=folder)

    assert (refused, accepted) == (1, 0)
    assert site.json("trust", cwd=folder)["accepted"]
