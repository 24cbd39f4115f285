"""What each source makes of what people have: the right videos in the right order, and notes on guesses."""

import shutil

import numpy as np
import pytest
from modalities.video.clips import fill, noise, numbered, numbers, prepared, settings, write
from PIL import Image

from jepa_steps.modalities.video.sources.folder import frame_files
from jepa_steps.modalities.video.sources.read import open_source

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Two classes of five videos."""
    return fill(tmp_path_factory.mktemp("videos"))


def told(source):
    return [(video.name, video.label, video.given) for video in source.videos]


def touched(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_class_folders_in_name_order(videos, tmp_path):
    store = prepared("folder", videos, tmp_path / "out")
    assert store.manifest["classes"] == ["a", "b"]
    assert store.labels.tolist() == [0] * 10 + [1] * 10  # two clips a video
    assert store.shape == (4, 16, 16, 3) and len(store.frames) == 80


def test_a_folder_without_classes_has_no_labels(tmp_path):
    source = open_source(settings("folder", touched(tmp_path / "v", "1.mp4", "2.MOV", ".DS_Store")))
    assert told(source) == [("1.mp4", "", -1), ("2.MOV", "", -1)]


def test_given_parts_and_what_is_no_data(tmp_path):
    names = ("train/a/1.mp4", "train/b/1.mp4", "valid/a/2.mp4", "test/b/3.mp4", "train/a/Thumbs.db")
    source = open_source(settings("folder", touched(tmp_path / "v", *names)))
    parts = {name: given for name, _, given in told(source)}
    assert parts == dict(zip(names, [0, 0, 1, 2], strict=False))
    assert any("valid = val" in note for note in source.notes)
    assert any("Thumbs.db" in note and "left out" in note for note in source.notes)


def test_groups_of_paths(tmp_path):
    touched(tmp_path / "v", "a/p1_x.mp4", "a/p2_y.mp4", "b/p1_z.mp4")
    source = open_source(settings("folder", tmp_path / "v", groups=r"/(p\d+)_"))
    assert [video.group for video in source.videos] == ["p1", "p2", "p1"]


def test_the_table_of_v_jepa(videos, tmp_path):
    shutil.copytree(videos, tmp_path / "in", dirs_exist_ok=True)
    (tmp_path / "in/a/0.mp4").rename(tmp_path / "in/a/my own.mp4")
    lines = [f'"{name}" {label}' for name, label in [("a/my own.mp4", 0), (tmp_path / "in/b/0.mp4", 1)]]
    lines += ["", f"{'b/1.mp4'}   0  "]
    (tmp_path / "in/train.csv").write_text("\n".join(lines))
    source = open_source(settings("table", tmp_path / "in/train.csv"))
    assert told(source) == [
        ("a/my own.mp4", "0", -1),
        (str(tmp_path / "in/b/0.mp4"), "1", -1),
        ("b/1.mp4", "0", -1),
    ]
    assert source.notes == ["train.csv: found no header; read as a path and a label per line"]


@pytest.mark.parametrize("delimiter", [",", "\t", " ", ";"])
def test_a_table_with_a_header(tmp_path, delimiter):
    touched(tmp_path, "x/1.mp4", "x/2.mp4", "3.mp4")
    rows = [
        ("Filename", "Action", "fold", "camera", "mass", "age"),
        ("x/1.mp4", "run", "train", "c1", "2.5", "7"),
        ("3.mp4", "sit", "dev", "c2", "3.5", "8"),
        ("x/2.mp4", "run", "test", "c1", "1.5", "9"),
    ]
    (tmp_path / "t.txt").write_text("\ufeff" + "\n".join(delimiter.join(row) for row in rows))
    source = open_source(settings("table", tmp_path / "t.txt", targets="mass", nuisances="camera"))
    assert told(source) == [("x/1.mp4", "run", 0), ("3.mp4", "sit", 1), ("x/2.mp4", "run", 2)]
    assert source.videos[0].columns == {"mass": "2.5", "camera": "c1"}
    assert "t.txt: keys.path: took the column 'Filename' by its name" in source.notes
    assert "t.txt: 1 further columns are not used: 'age'" in source.notes
    assert ("t.txt: took ';' for what divides fields" in source.notes) == (delimiter == ";")


def test_a_semicolon_in_a_path_divides_nothing(tmp_path):
    touched(tmp_path, "a;b.mp4", "c.mp4")
    (tmp_path / "t.csv").write_text("a;b.mp4 0\nc.mp4 1\n")
    assert told(open_source(settings("table", tmp_path / "t.csv")))[0] == ("a;b.mp4", "0", -1)


def test_keys_win_over_usual_names_and_none_does_without(tmp_path):
    touched(tmp_path, "1.mp4", "2.mp4")
    (tmp_path / "t.csv").write_text("path,clip,label,mouse\nno,1.mp4,x,m1\nno,2.mp4,y,m2\n")
    keys = {"path": "clip", "label": "none", "group": "mouse"}
    source = open_source(settings("table", tmp_path / "t.csv", keys=keys))
    assert told(source) == [("1.mp4", "", -1), ("2.mp4", "", -1)]
    assert [video.group for video in source.videos] == ["m1", "m2"]
    assert source.grouped == "of column 'mouse'"


def test_folders_of_frames_in_the_order_of_their_numbers(tmp_path):
    pictures = numbered(12, 16, 16)
    for video in range(3):
        for label in ("a", "b"):
            folder = tmp_path / "v" / label / "deep" / f"clip{video}"
            folder.mkdir(parents=True)
            for i, picture in enumerate(pictures):
                shifted = picture + np.uint8(video) + np.uint8(3 * (label == "b"))
                Image.fromarray(shifted).save(folder / f"frame{i + 1}.png")
            (folder / ".hidden").write_text("x")
    store = prepared("frames", tmp_path / "v", tmp_path / "out", clip_length=12)
    assert store.manifest["classes"] == ["a", "b"] and len(store) == 6
    assert numbers(store.samples(np.array([0]))[0]) == list(range(12))


def test_names_of_frames_sort_by_their_numbers_wherever_these_stand(tmp_path):
    names = ["a10.png", "a2.png", "a02b.png", "3.png", "a2b1.png", "²2.png"]
    order = [file.name for file in frame_files(touched(tmp_path, *names))]
    assert order.index("a2.png") < order.index("a10.png") and sorted(order) == sorted(names)


def test_folders_of_frames_without_classes(tmp_path):
    touched(tmp_path / "v", "one/1.png", "two/1.png", "two/2.png")
    source = open_source(settings("frames", tmp_path / "v"))
    assert [(video.name, video.frames, video.label) for video in source.videos] == [
        ("one", 1, ""),
        ("two", 2, ""),
    ]


def test_an_npy_is_stored_as_it_is(tmp_path):
    x = RNG.integers(0, 256, (20, 9, 16, 16), np.uint8)
    np.save(tmp_path / "x.npy", np.asfortranarray(x))
    store = prepared("arrays", tmp_path / "x.npy", tmp_path / "out", channels=1)
    assert np.array_equal(store.frames, x.reshape(-1, 16, 16, 1))
    assert store.manifest["settings"]["channels"] == 1 and (store.labels == -1).all()


@pytest.mark.parametrize("name", ["x", "videos", "clips"])
def test_an_npz_with_all_that_is_known(tmp_path, name):
    x = RNG.integers(0, 256, (12, 4, 16, 16, 3), np.uint8)
    np.savez(
        tmp_path / "x.npz",
        **{name: x},
        y=np.arange(12) % 3 - (np.arange(12) == 0),
        groups=np.repeat(["p", "q", "r", "s"], 3),
        split=np.repeat(["train", "train", "val", "test"], 3),
        speed=np.linspace(0, 1, 12),
        odd=np.zeros(2),
    )
    store = prepared("arrays", tmp_path / "x.npz", tmp_path / "out", targets="speed")
    assert store.split.tolist() == [0] * 6 + [1] * 3 + [2] * 3 and store.labels[0] == -1
    assert store.manifest["columns"]["targets"] == {"speed": "numbers"}
    assert store.manifest["columns"]["unit"] == "group"
    notes = " ".join(store.manifest["notes"])
    assert "1 of 12 videos have no label" in notes and "1 further arrays are not used: odd" in notes


def test_an_npz_of_parts(tmp_path):
    parts = {
        f"x_{p}": RNG.integers(0, 256, (n, 4, 16, 16), np.uint8) for p, n in (("train", 9), ("test", 6))
    }
    labels = {f"y_{p}": np.arange(n) % 3 for p, n in (("train", 9), ("test", 6))}
    np.savez(tmp_path / "x.npz", **parts, **labels)
    source = open_source(settings("arrays", tmp_path / "x.npz"))
    assert told(source)[0] == ("x.npz[train:0]", "0", 0) and told(source)[9] == ("x.npz[test:0]", "0", 2)
    assert np.array_equal(source.videos[9].item(), parts["x_test"][0])


def test_axes_the_other_way_round_are_pointed_out(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((5, 40, 8, 8), np.uint8))
    source = open_source(settings("arrays", tmp_path / "x.npy"))
    assert "swap the first two axes" in source.notes[0]


def test_labels_that_are_numbers_are_ordered_by_number(tmp_path):
    x, y = RNG.integers(0, 256, (33, 4, 8, 8), np.uint8), np.arange(33) % 11
    np.savez(tmp_path / "x.npz", x=x, labels=y)
    store = prepared("arrays", tmp_path / "x.npz", tmp_path / "out", image_size=8)
    assert store.manifest["classes"] == [str(i) for i in range(11)]
    assert np.array_equal(store.labels, y)


def test_one_file_may_be_a_gif_or_ten_bit(tmp_path):
    for i in range(9):
        write(tmp_path / f"v/{i}.mp4", noise(i), codec="libx264", pixels="yuv420p10le")
    write(tmp_path / "v/x.gif", noise(10), codec="gif", pixels="rgb8")
    write(tmp_path / "v/x.mov", noise(11), codec="mjpeg", pixels="yuvj420p")
    store = prepared("folder", tmp_path / "v", tmp_path / "out", image_size=32)
    assert len(store) == 22
    for first, seed in ((0, 0), (72, 10), (80, 11)):
        assert np.abs(store.frames[first].astype(int) - noise(seed)[0]).mean() < 20
