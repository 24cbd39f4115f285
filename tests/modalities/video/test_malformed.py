"""Bad input: one line that names the file, the place, what was found and what to do; nothing stays."""

import os
import sys

import numpy as np
import pytest
from modalities.video.clips import fill, noise, settings, write
from PIL import Image

from jepa_steps.errors import InputError
from jepa_steps.modalities.video.prepare import prepare
from jepa_steps.modalities.video.samples import read


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Two classes of four short videos, read only."""
    return fill(tmp_path_factory.mktemp("videos"), number=4, frames=4)


@pytest.fixture
def folder(videos, tmp_path):
    """The same, to be spoilt: links cost nothing."""
    for file in videos.rglob("*.mp4"):
        link = tmp_path / "in" / file.relative_to(videos)
        link.parent.mkdir(parents=True, exist_ok=True)
        os.link(file, link)
    return tmp_path / "in"


def refused(out, source, path, *telling, **changes) -> str:
    with pytest.raises(InputError) as error:
        prepare(settings(source, path, **changes), out, 1)
    line = str(error.value)
    assert "\n" not in line and len(line) < 600, line
    for text in telling:
        assert text in line, line
    assert not out.exists() or not list(out.iterdir())
    assert not list(out.parent.glob(".*partial"))
    return line


@pytest.mark.parametrize(
    ("name", "content", "telling"),
    [
        ("x.mp4", b"", "a/x.mp4: empty file (0 bytes), expected a video"),
        ("x.mp4", b"\x00" * 2000, "a/x.mp4: cannot be decoded: Invalid data found"),
        ("x.mp4", b"\xff\xd8\xff\xe0junk" * 99, "a/x.mp4: cannot be decoded"),
        ("x.txt", b"hello", "a/x.txt: found a name that ends in '.txt', expected a video (.mp4, .avi"),
        ("x", b"hello", "a/x: found a name that ends in ''"),
        ("x.avi", b"RIFF\x00\x00\x00\x00AVI LIST", "a/x.avi: cannot be decoded"),
        ("a:b.mkv", b"\x1aE\xdf\xa3\x80", "a/a:b.mkv: cannot be decoded"),
        ("x.gif", b"GIF89a", "a/x.gif: "),
        ("x.m4v", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n", "a/x.m4v: cannot be decoded"),
    ],
    ids=["empty", "zeros", "junk", "text", "nameless", "avi", "colon", "gif", "playlist"],
)
def test_files_that_are_no_videos(folder, tmp_path, name, content, telling):
    (folder / "a" / name).write_bytes(content)
    refused(tmp_path / "out", "folder", folder, telling, "set on_error: skip")


def test_a_picture_under_the_name_of_a_video(folder, tmp_path):
    Image.fromarray(noise(0, 1)[0]).save(folder / "a/x.png")
    (folder / "a/x.png").rename(folder / "a/x.mp4")
    refused(tmp_path / "out", "folder", folder, "a/x.mp4: found a png_pipe file, expected a video")


def test_sound_without_pictures(folder, tmp_path):
    import av

    with av.open(str(folder / "a/x.mkv"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    refused(tmp_path / "out", "folder", folder, "a/x.mkv: no pictures in this file (audio only)")


def test_a_header_without_frames(folder, tmp_path):
    import av

    with av.open(str(folder / "a/x.mkv"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        container.start_encoding()
    refused(tmp_path / "out", "folder", folder, "a/x.mkv: ", "set on_error: skip")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_file(folder, tmp_path, share):
    whole = (folder / "b/0.mp4").read_bytes()
    (folder / "b/x.mp4").write_bytes(whole[: int(share * len(whole))])
    refused(tmp_path / "out", "folder", folder, "b/x.mp4: cannot be decoded")


def test_times_that_run_backwards_or_are_missing():
    from jepa_steps.modalities.video.preparation.reading import _timed

    class Frame:
        duration = 1

        def __init__(self, pts):
            self.pts = pts

    class Stream:
        time_base, average_rate = 0.1, None

    for times, found in (
        ([0, 2, 1], "frame 2 has a time stamp before"),
        ([0, None], "frame 1 has no time"),
    ):
        with pytest.raises(InputError, match=found + r".*set frame_rate: null"):
            list(_timed(map(Frame, times), Stream(), "x.mp4"))


def test_folders(videos, folder, tmp_path):
    out = tmp_path / "out"
    refused(out, "folder", tmp_path / "no", f"path: {tmp_path / 'no'} does not exist; expected a folder")
    refused(
        out, "folder", folder / "a/0.mp4", "is a file; source folder expects a folder of video files"
    )
    refused(out, "arrays", folder, "is a folder; source arrays expects an .npz or .npy file")
    refused(out, "folder", folder, "finds no group in the path 'a/0.mp4'", groups=r"/(p\d)_")
    (tmp_path / "empty").mkdir()
    refused(out, "folder", tmp_path / "empty", "no videos in this folder; add some or remove it")
    (folder / "c").mkdir()
    refused(out, "folder", folder, "c: no videos in this folder; add some or remove it")
    (folder / "c").rmdir()
    (folder / "A").mkdir()
    os.link(videos / "a/0.mp4", folder / "A/0.mp4")
    refused(out, "folder", folder, "found classes 'A' and 'a', equal but for case; rename one")


def test_links_to_nothing_and_to_a_folder_above(folder, tmp_path):
    (folder / "a/x.mp4").symlink_to("gone.mp4")
    refused(tmp_path / "out", "folder", folder, "a/x.mp4: a link to gone.mp4, which is not there")
    (folder / "a/x.mp4").unlink()
    (folder / "a/up").symlink_to(folder)
    refused(tmp_path / "out", "folder", folder, "a folder above it; remove it")


def test_classes_and_parts(folder, tmp_path):
    out = tmp_path / "out"
    for i in range(2):
        (folder / f"b/{i}.mp4").unlink()
    refused(out, "folder", folder, "class 'b' has 2 videos, expected at least 3 (train, val, test)")
    for file in (folder / "b").iterdir():
        file.unlink()
    (folder / "b").rmdir()
    refused(out, "folder", folder, "found one class ('a'), expected at least 2")
    refused(
        out, "folder", folder / "a", "no video in the val part of 4 videos in 1 units", groups=r"(\.)mp4"
    )


def test_a_class_that_is_lost(folder, tmp_path):
    for i in range(3):
        write(folder / f"c/{i}.mp4", noise(90 + i, 2))
    telling = "class 'c': all of its videos were left out as unreadable or too short"
    refused(tmp_path / "out", "folder", folder, telling, on_short="drop")
    refused(
        tmp_path / "out",
        "folder",
        folder,
        "none of 11 videos can be used",
        clip_length=9,
        on_short="drop",
    )


def test_a_group_in_two_given_parts(videos, tmp_path):
    for part in ("train", "test"):
        for name in ("a", "b"):
            for i in range(3):
                link = tmp_path / f"in/{part}/{name}/mouse{i}.mp4"
                link.parent.mkdir(parents=True, exist_ok=True)
                os.link(videos / f"{name}/{i}.mp4", link)
    line = refused(tmp_path / "out", "folder", tmp_path / "in", "that is leakage", groups=r"(mouse\d)")
    assert "3 of 3 groups are in more than one given part (group 'mouse0' in train and test)" in line
    refused(
        tmp_path / "out", "folder", tmp_path / "in", "6 videos of val and test", "set on_copies: drop"
    )


HEADER = "path,label,group,split\n"


@pytest.mark.parametrize(
    ("content", "telling", "changes"),
    [
        ("", "t.csv: found no rows", {}),
        ("a/0.mp4 0\na/none.mp4 1\n", "line 2: found 'a/none.mp4', which is not there: ", {}),
        ("a/0.mp4 0\na/./0.mp4 1\n", "line 2: found 'a/./0.mp4' again, as in line 1", {}),
        ("a/0.mp4 0\na/1.mp4\n", "line 2: found 1 fields, expected a path and a label", {}),
        ("my video.mp4 0\n", "line 1: found 3 fields", {}),
        ('"a/0.mp4 0\n', "cannot be read as a table", {}),
        (
            "clip_file,behaviour\na/0.mp4,x\n",
            "found no column for the path in the header clip_file, behaviour; set keys.path to its name",
            {},
        ),
        (
            "clip_file,behaviour,animal\na/0.mp4,x,m1\n",
            "in the header clip_file, behaviour, animal; set keys.path",
            {"keys": {"group": "animal"}},
        ),
        (
            "clip_file,behaviour\na/0.mp4,x\n",
            "keys.path: found no column 'clip_fil'; did you mean 'clip_file'?",
            {"keys": {"path": "clip_fil"}},
        ),
        ("a/none.mp4 0\na/1.mp4 1\n", "line 1: found 'a/none.mp4', which is not there: ", {}),
        (HEADER + "a/0.mp4,x,m1,\na/1.mp4,x,,\n", "line 3: found no group in column 'group'", {}),
        (HEADER + "a/0.mp4,x, ,\n", "fill it in, or set keys.group: none", {}),
        ("a/0.mp4 0\n", "which is no header, with keys.group", {"keys": {"group": "mouse"}}),
        ("a/0.mp4 0\n", "which is no header, with targets or nuisances 'age'", {"targets": "age"}),
        (HEADER + "a/0.mp4,x,m1\n", "line 2: found 3 values, expected 4, one per column", {}),
        (HEADER + ",x,m1,train\n", "line 2: found no path", {}),
        (HEADER + "a,x,m1,train\n", "line 2: found a folder, ", {}),
        (HEADER + "a/0.mp4,x,m1,fold3\n", "line 2: found 'fold3', expected train, val or test", {}),
        ("path,path\n", "line 1: found column 'path' twice", {}),
        ("path,kind\n", "keys.label: found no column 'lable'", {"keys": {"label": "lable"}}),
        (
            "path,label\n",
            "targets: found no column 'labels'; did you mean 'label'?",
            {"targets": "labels"},
        ),
        (
            "path,x\n",
            "keys.label: found 'x', which has another use",
            {"keys": {"label": "x", "group": "x"}},
        ),
        (
            "path,label\n",
            "keys.path: found none, expected the column of paths, one of 'path', 'label'",
            {"keys": {"path": "none"}},
        ),
        ("path,label\n", "no videos found", {}),
        (b"path,label\n\xff\xfe\n", "cannot be read as a table: not UTF-8", {}),
        (
            "path,mass\na/0.mp4,heavy\na/1.mp4,1\na/2.mp4,1\n",
            "a/0.mp4: targets.mass: found 'heavy', expected a finite number",
            {"targets": {"mass": "numbers"}},
        ),
    ],
    ids=lambda value: None if isinstance(value, dict | str) else "bytes",
)
def test_tables(folder, tmp_path, content, telling, changes):
    (folder / "t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    line = refused(tmp_path / "out", "table", folder / "t.csv", telling, **changes)
    assert line.startswith(str(folder / "t.csv"))


U8 = np.uint8


@pytest.mark.parametrize(
    ("arrays", "telling", "changes"),
    [
        ({"x": np.zeros((5, 4, 8, 8), np.float32)}, "found pixels of type float32, expected uint8", {}),
        ({"x": np.zeros((5, 4, 8, 8), np.float64)}, "np.round(255 * x).astype(np.uint8)", {}),
        ({"x": np.zeros((5, 4, 8, 8), np.int64)}, "found pixels of type int64", {}),
        ({"x": np.zeros((4, 8, 8), U8)}, "found shape (4, 8, 8), as of one video", {}),
        ({"x": np.zeros((4, 8, 8, 3), U8)}, "as of one video in colour", {}),
        ({"x": np.zeros((5, 4, 3, 8, 8), U8)}, "move the channels to the end, np.moveaxis(x, 2, 4)", {}),
        ({"x": np.zeros((8, 8), U8)}, "found shape (8, 8); expected uint8 (N, T, H, W)", {}),
        ({"x": np.zeros((5, 0, 8, 8), U8)}, "found shape (5, 0, 8, 8), without any pixels", {}),
        ({"x": np.zeros((5, 2, 8, 8), U8)}, "x.npz[0]: 2 frames, fewer than clip_length 4", {}),
        ({"x": np.zeros((5, 4, 8, 8), U8), "y": np.zeros(4, int)}, "found 4 labels for 5 videos", {}),
        ({"x": np.zeros((5, 4, 8, 8), U8), "y": np.zeros(5)}, "found labels of type float64", {}),
        (
            {"x": np.zeros((5, 4, 8, 8), U8), "y": np.zeros(5, int), "labels": np.zeros(5, int)},
            "found arrays labels and y, expected one of them",
            {},
        ),
        (
            {"x": np.zeros((5, 4, 8, 8), U8), "groups": np.zeros(3, int)},
            "groups: found 3 of type int64",
            {},
        ),
        (
            {"x": np.zeros((5, 4, 8, 8), U8), "split": np.array(["train"] * 4 + ["hold"])},
            "split: video 4: found 'hold', expected train, val or test",
            {},
        ),
        ({"x": np.zeros((5, 4, 8, 8), U8), "split": np.zeros(2, int)}, "split: found 2 of type", {}),
        ({"x": np.zeros((5, 4, 8, 8), U8)}, "found no array 'mass'; there are x", {"targets": "mass"}),
        (
            {"x": np.zeros((5, 4, 8, 8), U8), "mass": np.zeros((5, 2))},
            "mass: found 10 of type float64, expected 5 numbers or texts",
            {"targets": "mass"},
        ),
        (
            {"movies": np.zeros((5, 4, 8, 8), U8)},
            "found arrays movies; expected the videos as x, videos",
            {},
        ),
        ({"x_test": np.zeros((5, 4, 8, 8), U8)}, "found arrays x_test; expected the videos as x", {}),
        (
            {"x_train": np.zeros((5, 4, 8, 8), U8), "x": np.zeros((5, 4, 8, 8), U8)},
            "found arrays x and x_train, expected one or the other",
            {},
        ),
        (
            {
                "x_train": np.zeros((5, 4, 8, 8), U8),
                "y_train": np.zeros(5, int),
                "x_test": np.zeros((5, 4, 8, 8), U8),
            },
            "found labels of some parts only, expected y_test as y_train",
            {},
        ),
        ({"x": np.array([[1], [2, 3]], object)}, "found Python objects (a pickle)", {}),
        (
            {"x": np.zeros((5, 4, 8, 8), U8), "groups": np.array(["m1", "", "m1", " ", "m2"])},
            "groups: video 1: found an empty text (2 of 5 are), expected a group for every video",
            {},
        ),
    ],
    ids=range(23),
)
def test_arrays(tmp_path, arrays, telling, changes):
    path = tmp_path / "x.npz"
    np.savez(path, **arrays)
    line = refused(tmp_path / "out", "arrays", path, telling, **changes)
    assert line.startswith(str(path))


@pytest.mark.parametrize(
    ("name", "content"),
    [("x.npz", b"PK\x03\x04junk"), ("x.npy", b"\x93NUMPY\x01\x00"), ("x.npz", b""), ("x.npy", b"1,2,3")],
    ids=["npz", "npy", "empty", "text"],
)
def test_damaged_array_files(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    line = refused(tmp_path / "out", "arrays", tmp_path / name)
    assert line.startswith(str(tmp_path / name))


def frames_folder(folder):
    for label in ("a", "b"):
        for video in range(3):
            at = folder / label / f"v{video}"
            at.mkdir(parents=True)
            for i in range(4):
                Image.fromarray(noise(10 * video + i, 1, 8, 8)[0]).save(at / f"{i}.png")
    return folder


def test_folders_of_frames(tmp_path):
    folder, out = frames_folder(tmp_path / "in"), tmp_path / "out"
    (folder / "b/v9").mkdir()
    refused(out, "frames", folder, "b/v9: no frames, expected some", "set on_error: skip")
    (folder / "b/v9").rmdir()
    (folder / "a/v1/4.png").write_bytes(b"no image")
    refused(out, "frames", folder, "a/v1/4.png: cannot be decoded as an image")
    Image.fromarray(np.zeros((8, 9, 3), U8)).save(folder / "a/v1/4.png")
    refused(out, "frames", folder, "a/v1/4.png: found 9 x 8 pixels, expected 8 x 8 as in 0.png")
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(folder / "a/v1/4.png")
    refused(out, "frames", folder, "a/v1/4.png: found pixels of mode I;16, expected 8 bit")
    (folder / "a/v1/4.png").unlink()
    (folder / "a/loose.png").write_bytes(b"x")
    refused(out, "frames", folder, "loose.png: found a file, expected folders of frames here")


def test_the_other_source_is_named_where_files_are_of_the_other_kind(folder, tmp_path):
    pictures, out = frames_folder(tmp_path / "pictures"), tmp_path / "out"
    telling = (
        "found image files and no videos (e.g. a/v0/0.png), expected video files; set source: frames"
    )
    refused(out, "folder", pictures, telling)
    refused(out, "folder", pictures / "a/v0", "(e.g. 0.png)", "set source: frames")
    telling = (
        "found video files and no images (e.g. a/0.mp4), expected folders of image files; set source: "
    )
    refused(out, "frames", folder, telling + "folder")
    refused(out, "frames", folder / "a", "(e.g. 0.mp4)", "set source: folder")


def test_new_videos_for_an_encoder(folder, tmp_path):
    description = {
        "clip_length": 4,
        "image_size": [8, 8],
        "channels": 3,
        "frame_rate": None,
        "resize": "crop",
    }
    with pytest.raises(InputError, match=r"no does not exist; expected a video file, or a folder of"):
        read(tmp_path / "no", description)
    pictures = frames_folder(tmp_path / "pictures")
    with pytest.raises(InputError, match=r"pictures: found no videos .* but files: 24 \.png; expected"):
        read(pictures, description)
    with pytest.raises(InputError, match=r"0\.png: found a name that ends in '\.png', expected a video"):
        read(pictures / "a/v0/0.png", description)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="found an empty folder, expected a video file"):
        read(tmp_path / "nothing", description)
    write(folder / "a/short.mp4", noise(1, 3))
    names, clips = read(folder, description)
    at = names.index("a/short.mp4")
    with pytest.raises(InputError, match=r"a/short\.mp4: found 3 frames, expected at least 4"):
        clips(at, at + 1)


def test_without_pyav_one_line_says_what_to_install(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    line = refused(tmp_path / "out", "folder", folder)
    assert line.endswith("install it with pip install 'jepa-steps[video]'")
