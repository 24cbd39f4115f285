import numpy as np
import pytest
import torch

from jepa_steps import device

CPU = torch.device("cpu")


def test_what_is_too_large_for_the_device_is_computed_in_halves():
    sizes = []

    def compute(x, keep):
        sizes.append(len(x))
        if len(x) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return {"sum": x + keep, "double": 2 * x}

    x, keep = torch.arange(10.0), torch.arange(10.0) ** 2
    found = device.fitting(compute, x, keep)
    assert torch.equal(found["sum"], x + keep) and torch.equal(found["double"], 2 * x)
    assert sizes == [10, 5, 2, 3, 5, 2, 3]


def test_a_sample_that_does_not_fit_alone_is_an_error():
    def compute(x):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        device.fitting(compute, torch.arange(4.0))


def test_a_resident_array_is_copied_in_blocks(monkeypatch):
    """A process that holds a memory map never holds the whole of it as its own memory."""
    blocks, moved = [], device.moved
    monkeypatch.setattr(device, "_BLOCK", 1000)
    monkeypatch.setattr(device, "moved", lambda x, where: blocks.append(x.nbytes) or moved(x, where))
    array = np.random.default_rng(0).integers(0, 256, (77, 6, 5, 3), dtype=np.uint8)
    assert np.array_equal(device.resident(array, CPU).numpy(), array)
    assert len(blocks) > 5 and max(blocks) <= 1000 and sum(blocks) == array.nbytes


def test_without_a_gpu_the_cpu_judges():
    assert device.judging_device() == CPU and device.judging_device() is device.judging_device()


def test_a_judge_takes_a_card_that_nobody_holds(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-4e,GPU-5f")
    judges = [device.judging_device.__wrapped__() for _ in range(3)]
    assert judges == [torch.device("cuda", number) for number in (0, 1, 0)]
