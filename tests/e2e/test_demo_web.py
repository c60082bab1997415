"""The demo leaves its site running, and everything ends with it."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

FLAIR = Path(sys.executable).with_name("flair")


def test_the_demo_leaves_the_site_running_until_it_is_ended(tmp_path):
    child = subprocess.Popen(
        [FLAIR, "demo", "--web", "--web-port", "0", "--rounds", "1"],
        cwd=tmp_path,
        env=os.environ | {"FLAIR_HOME": str(tmp_path / "user")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        told = []
        for line in child.stderr:
            told.append(line)
            found = re.search(r"the site is at (\S+?);", line)
            if found:
                break
        assert found, "".join(told)
        url = found.group(1)
        with httpx.Client(base_url=url) as client:
            home = client.get("/").text
            assert "merge round 1" in home
            assert "Every repository was folded" in client.get("/health").text
            repo = re.search(r'href="(/[1-9A-Za-z]{32,44}/demo)"', home).group(1)
            assert "Breast Cancer Wisconsin" in client.get(repo).text
            commit = re.search(rf'href="({repo}/commit/\w+)"', home).group(1)
            assert "linear.weight" in client.get(commit).text
        child.send_signal(signal.SIGTERM)
        rest = child.stderr.read()

    assert child.returncode == 0, rest
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
