"""Pictures of the site for README and docs, made from the demo.

    scripts/screenshots [docs]

Runs `flair demo --web` in a new folder and takes the pages as Debian's Chromium draws
them.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "chromium-headless-shell")
WIDTH, HEIGHT = 1120, 760
START_TIMEOUT_S = 300


def browser_program() -> str:
    """Gives the browser of this machine, or ends."""
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        raise SystemExit("screenshots: no Chromium: scripts/install-browser")
    return found


def site_url(log: Path, child: "subprocess.Popen[bytes]") -> str:
    """Waits until the demo says where its site is."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and child.poll() is None:
        found = re.search(r"the site is at (\S+?);", log.read_text())
        if found:
            return found.group(1)
        time.sleep(0.5)
    raise SystemExit(f"screenshots: the demo gave no site: {log.read_text()[-2000:]}")


def take(page: Page, url: str, folder: Path) -> None:
    """Takes the repository and the commit of the last round."""
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own site
        text = answer.read().decode()
    repo = re.search(r'href="(/[1-9A-Za-z]{32,44}/demo)"', text)
    link = r'href="(/[^"]+/commit/[0-9a-f]{64})">[0-9a-f]+</a> <span>merge round 3'
    merge = re.search(link, text)
    if repo is None or merge is None:
        raise SystemExit("screenshots: the first page shows no repository")
    for name, path in (("site", repo.group(1)), ("site-commit", merge.group(1))):
        page.goto(url + path)
        page.screenshot(path=folder / f"{name}.png")


def main() -> None:
    """Makes the pictures."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs").resolve()
    program = browser_program()
    with tempfile.TemporaryDirectory(prefix="flair-screenshots-") as name:
        log = Path(name) / "demo.log"
        flair = Path(sys.executable).with_name("flair")
        command = [flair, "demo", "--web", "--web-port", "0"]
        command += ["--folder", str(Path(name) / "demo")]
        with (
            log.open("wb") as told,
            subprocess.Popen(command, cwd=name, stdout=told, stderr=told) as child,
        ):
            try:
                url = site_url(log, child)
                with sync_playwright() as playwright:
                    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
                    browser = playwright.chromium.launch(
                        executable_path=program, args=flags
                    )
                    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
                    take(page, url, folder)
                    browser.close()
            finally:
                child.send_signal(signal.SIGTERM)
                child.wait(timeout=60)
    print(f"screenshots: {folder}/site.png, {folder}/site-commit.png", file=sys.stderr)


if __name__ == "__main__":
    main()
