"""Folders of unfinished files, where other processes clear up at the same time."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from flair_client.store.scratch import Scratch


@pytest.mark.parametrize("moment", ["made", "opened", "locked"])
def test_a_new_folder_that_another_process_removes_is_made_anew(
    tmp_path, monkeypatch, moment
):
    taken = []
    make, open_folder = tempfile.mkdtemp, os.open

    def mkdtemp(**kwargs):
        path = make(**kwargs)
        if not taken:
            taken.append(path)
            if moment == "made":
                shutil.rmtree(path)
        return path

    def opened(path, *arguments, **kwargs):
        fd = open_folder(path, *arguments, **kwargs)
        if moment != "made" and str(path) == taken[-1:][0] and len(taken) == 1:
            taken.append("removed")
            shutil.rmtree(path)
            if moment == "locked":
                # Another one has the name by now.
                Path(path).mkdir()
        return fd

    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
    if moment != "made":
        monkeypatch.setattr(os, "open", opened)

    scratch = Scratch(tmp_path)

    assert str(scratch.path) != taken[0]
    assert scratch.new_path().exists()
    scratch.close()
    assert not scratch.path.exists()
