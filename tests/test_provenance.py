"""Where results come from: commit, versions, machine."""

import os
import subprocess

import pytest

from jepa_steps import __version__, provenance


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "a.py").write_text("a = 1\n")
    (tmp_path / "dvc.lock").write_text("1\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def test_the_commit_of_clean_sources(repository):
    found = provenance.commit(repository / "package")
    assert len(found["hash"]) == 40 and found["dirty"] is False


def test_only_changes_of_the_sources_make_them_dirty(repository):
    """DVC rewrites dvc.lock after every stage; that does not change the code."""
    (repository / "dvc.lock").write_text("2\n")
    assert provenance.commit(repository / "package")["dirty"] is False
    (repository / "package" / "new.py").write_text("b = 1\n")
    assert provenance.commit(repository / "package")["dirty"] is True


def test_files_that_are_in_no_repository_have_no_commit(repository, tmp_path, monkeypatch):
    installed = repository / ".venv" / "package"  # inside a repository, but not its files
    installed.mkdir(parents=True)
    (installed / "a.py").write_text("")
    assert provenance.commit(installed) == {"hash": None, "dirty": None}
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert provenance.commit(repository / "package") == {"hash": None, "dirty": None}


def test_the_machine_from_proc(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Abacus: 3000\n")
    (tmp_path / "meminfo").write_text("MemTotal:       2048 kB\nMemFree: 1 kB\n")
    found = provenance.machine(tmp_path)
    assert found["cpu"] == "Abacus: 3000" and found["memory_bytes"] == 2048 * 1024
    assert found["cores"] >= 1
    assert provenance.machine(tmp_path / "none")["memory_bytes"] is None


def test_versions_name_what_can_change_a_result():
    found = provenance.versions()
    assert found["jepa-steps"] == __version__
    assert {"python", "torch", "numpy", "scikit-learn"} <= set(found)


@pytest.mark.parametrize("cheap", [True, False])
def test_a_source_is_known_by_its_files(tmp_path, monkeypatch, cheap):
    """Added, deleted, replaced in place by a file of the same size, replaced by an older one."""
    if not cheap:
        monkeypatch.setattr(provenance, "_FEW_BYTES", 2)
    folder = tmp_path / "p"
    (folder / "a").mkdir(parents=True)
    for name in ("a/1", "a/2"):
        (folder / name).write_text("abc")
    digests = [provenance.source_digest([folder])]
    assert digests == [provenance.source_digest([folder])]

    def changed():
        digests.append(provenance.source_digest([folder]))

    (folder / "a" / "3").write_text("abc")
    changed()
    (folder / "a" / "3").unlink()
    (folder / "a" / "2").write_text("xyz")
    changed()
    (folder / "a" / "2").write_text("xyzz")
    os.utime(folder / "a" / "2", (1, 1))
    changed()
    (folder / "a" / "2").unlink()
    changed()
    assert len(set(digests)) == 5
    os.utime(folder / "a" / "1", (5, 5))
    assert (provenance.source_digest([folder]) == digests[-1]) is cheap
    assert provenance.source_digest([tmp_path / "none"]) != digests[-1]
