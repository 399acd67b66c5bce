"""Headless Chromium without a network."""

import shutil
import subprocess
from pathlib import Path

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def open_page(page: Path, profile: Path, *, milliseconds: int, size: str, fragment: str = "") -> tuple[str, str]:
    """The page's elements after so much (virtual) time, and the browser's log."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    options += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    options += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}"]
    options += ["--enable-logging=stderr", "--v=0", f"--virtual-time-budget={milliseconds}", f"--window-size={size}"]
    run = subprocess.run(
        [BROWSER, *options, "--dump-dom", page.as_uri() + fragment],
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    return run.stdout, run.stderr
