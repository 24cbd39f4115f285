"""The report in a real browser: no console message, no request to another host, all figures shown."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import TINY
from test_steps import run_all

from jepa_steps import report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--v=0",
]


def opened(page: Path, profile: Path, *flags: str) -> subprocess.CompletedProcess:
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", *flags, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_report_opens_without_console_messages_or_outside_requests(step, tmp_path, digits):
    for name, spec in (("mine", TINY), ("raw", {"encoder": "raw"})):
        results = run_all(step, tmp_path, digits, spec, name)
    out = results / "report"
    assert step(report, "--results", results, "--experiments", "mine", "raw", "--out", out)[0] == 0
    log = tmp_path / "net.json"
    result = opened(out / "report.html", tmp_path / "profile", "--dump-dom", f"--log-net-log={log}")
    assert "CONSOLE" not in result.stderr, result.stderr
    assert "mine" in result.stdout and result.stdout.count("<img") >= 10
    hosts = set(re.findall(r'"url":"(?:https?|wss?)://([^/"]+)', log.read_text()))
    assert not {h for h in hosts if "google" not in h and "gvt1" not in h}, hosts
