import threading
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from support import TINY, parse_training

from jepa_steps.engine import checkpoint
from jepa_steps.engine.distributed import World
from jepa_steps.engine.loop import Trainer
from jepa_steps.errors import InputError


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


def test_a_checkpoint_that_a_shared_disk_shows_late_is_waited_for(tmp_path):
    save_two(tmp_path)
    path = tmp_path / "step-000000002.pt"
    path.rename(tmp_path / "hidden")
    threading.Timer(0.7, lambda: (tmp_path / "hidden").rename(path)).start()
    assert checkpoint.load(tmp_path, 2, wait=30)["step"] == 2


def test_a_checkpoint_that_one_machine_alone_sees_is_an_error(tmp_path):
    save_two(tmp_path)
    (tmp_path / "step-000000002.pt").unlink()
    with pytest.raises(InputError, match=r"step-000000002.pt: No such file .* while another machine"):
        checkpoint.load(tmp_path, 2, wait=0)


def test_a_checkpoint_of_another_step_is_an_error(tmp_path):
    checkpoint.save(tmp_path, 3, {"step": 4})
    with pytest.raises(InputError, match="found step 4 in it, expected 3"):
        checkpoint.load(tmp_path, 3)


@dataclass(frozen=True)
class Second(World):
    """Rank 1 of two whose main rank found ``newest``."""

    newest: int = 0
    main = False

    def from_main(self, value: int) -> int:
        assert value == -1  # it does not look for itself
        return self.newest


def test_all_ranks_resume_from_what_the_main_rank_found(store, tmp_path):
    """Also where their own view of the folder is another."""
    settings = parse_training({**TINY, "steps": 30, "checkpoint_every": 10}, "test")
    first = Trainer(settings, store, tmp_path, World(0, 1, torch.device("cpu")))
    for _ in range(12):
        first.train_step()
        if first.step in (5, 10):
            first.save()
    rank = Trainer(settings, store, tmp_path, World(0, 1, torch.device("cpu")))
    rank.world = Second(0, 1, torch.device("cpu"), 5)
    rank.resume()
    assert rank.step == 5
    rank.world = Second(0, 1, torch.device("cpu"), 10)
    rank.resume()
    assert rank.step == 10


def test_an_error_of_cuda_is_not_called_one_of_the_disk(tmp_path, monkeypatch):
    def save(state, path):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        checkpoint.save(tmp_path, 1, {})
