import numpy as np
import pytest

from jepa_steps.modalities.images.reader import Reader


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "images.npy", rng.integers(0, 256, (300, 6, 5, 3), dtype=np.uint8))
    return np.load(tmp_path / "images.npy", mmap_mode="r")


@pytest.mark.parametrize("threads", [1, 3, 8])
def test_rows_are_those_of_the_memory_map(images, threads):
    reader, rng = Reader(images, threads), np.random.default_rng(1)
    for size in (1, 2, 64, 300):
        index = rng.integers(0, 300, size)
        assert np.array_equal(reader(index), images[index])


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_rows_of_other_types(tmp_path, dtype):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 65536, (40, 4, 5, 7)).astype(dtype))
    images = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.array_equal(Reader(images, 3)(np.array([39, 0, 7])), images[[39, 0, 7]])


def test_rows_that_were_begun_are_taken_and_others_are_read(images):
    reader = Reader(images, 4)
    index = np.arange(100)
    reader.ahead(index)
    begun = reader._coming[1]
    assert reader(index) is begun and np.array_equal(begun, images[:100])
    reader.ahead(index)
    assert np.array_equal(reader(index + 50), images[50:150])
    assert np.array_equal(reader(index), images[:100])


def test_a_file_that_ends_too_early_is_an_error(images, tmp_path):
    reader = Reader(images, 2)
    with (tmp_path / "images.npy").open("r+b") as file:
        file.truncate(images.offset + 100 * 90)
    assert np.array_equal(reader(np.arange(50)), images[:50])
    with pytest.raises(OSError, match="row 250 is cut off"):
        reader(np.array([250]))
