import numpy as np
import pytest
import torch

from jepa_steps.engine import checkpoint


def save_two(folder):
    for step in (1, 2):
        checkpoint.save(folder, step, {"step": step, "w": torch.arange(1000.0) + step})


def newest(folder):
    log = []
    step = checkpoint.newest(folder, log.append)
    return None if step < 0 else checkpoint.load(folder, step), log


def test_newest_is_loaded_and_two_are_kept(tmp_path):
    save_two(tmp_path)
    checkpoint.save(tmp_path, 3, {"step": 3})
    assert newest(tmp_path)[0]["step"] == 3
    assert len(list(tmp_path.glob("*.pt"))) == 2 and len(list(tmp_path.glob("*.json"))) == 2


@pytest.fixture(scope="module")
def spread():
    """100 shares of a file's length, the ends included."""
    return np.linspace(0, 1, 100)


def test_a_flipped_bit_anywhere_is_found_and_the_previous_checkpoint_taken(tmp_path, spread):
    save_two(tmp_path)
    path = max(tmp_path.glob("*.pt"))
    sound = path.read_bytes()
    for number, share in enumerate(spread):
        data = bytearray(sound)
        data[int(share * (len(sound) - 1))] ^= 1 << (number % 8)
        path.write_bytes(data)
        state, log = newest(tmp_path)
        assert state["step"] == 1 and path.name in log[0]


def test_a_file_cut_off_anywhere_is_found(tmp_path, spread):
    save_two(tmp_path)
    path = max(tmp_path.glob("*.pt"))
    sound = path.read_bytes()
    for share in spread[:-1]:
        path.write_bytes(sound[: int(share * len(sound))])
        assert newest(tmp_path)[0]["step"] == 1


@pytest.mark.parametrize("damage", ["", "{}", "[1]", '{"sha256": 3}', "\xff"])
def test_a_damaged_manifest_is_passed_over(tmp_path, damage):
    save_two(tmp_path)
    max(tmp_path.glob("*.json")).write_bytes(damage.encode("latin-1"))
    assert newest(tmp_path)[0]["step"] == 1


def test_a_checkpoint_without_manifest_does_not_count(tmp_path):
    save_two(tmp_path)
    max(tmp_path.glob("*.json")).unlink()
    assert newest(tmp_path)[0]["step"] == 1


def test_a_failed_write_leaves_nothing_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")

    def fail(temporary):
        temporary.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        checkpoint.atomic_write(path, fail)
    assert [p.name for p in tmp_path.iterdir()] == ["a"] and path.read_text() == "old"
