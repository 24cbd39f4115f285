"""Threads spin briefly beside busy processes, unless the user says how they wait."""

import os

import pytest

from jepa_steps import threads


def waited(monkeypatch, others, cores, machine, **environment):
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(threads, "_others_running", lambda: others)
    monkeypatch.setattr(threads, "_cores", lambda: cores)
    monkeypatch.setattr(os, "cpu_count", lambda: machine)
    threads.wait_briefly_beside_others()
    return os.environ.get("GOMP_SPINCOUNT")


@pytest.mark.parametrize(
    ("others", "cores", "machine", "spin"),
    [(0, 2, 2, None), (1, 2, 2, threads.SHORT), (20, 16, 64, None), (49, 16, 64, threads.SHORT)],
)
def test_a_short_spin_is_set_where_no_core_is_left(monkeypatch, others, cores, machine, spin):
    assert waited(monkeypatch, others, cores, machine) == spin


def test_what_the_user_says_stays(monkeypatch):
    assert waited(monkeypatch, 1, 2, 2, OMP_WAIT_POLICY="ACTIVE") is None
    assert waited(monkeypatch, 1, 2, 2, GOMP_SPINCOUNT="7") == "7"
