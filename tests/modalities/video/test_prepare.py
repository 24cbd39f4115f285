"""Preparing videos: the right frames at the right times, upright and in the right size; parts that share
nothing; what is left out is said."""

import csv
import shutil
import tracemalloc
from fractions import Fraction
from itertools import pairwise
from typing import ClassVar

import av
import numpy as np
import pytest
from modalities.video.clips import fill, noise, numbered, numbers, prepared, settings, write
from PIL import Image

from jepa_steps.errors import InputError
from jepa_steps.modalities.video.preparation.headers import own_duration
from jepa_steps.modalities.video.preparation.look import Look
from jepa_steps.modalities.video.preparation.reading import Told, read_frames
from jepa_steps.modalities.video.preparation.rotation import turned
from jepa_steps.modalities.video.preparation.times import at_rate
from jepa_steps.modalities.video.prepare import prepare, summary
from jepa_steps.modalities.video.report import describe
from jepa_steps.modalities.video.samples import read

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Two classes of eight videos."""
    return fill(tmp_path_factory.mktemp("videos"), number=8)


def frames_of(path, told=None, **look):
    shape = {"size": (32, 32), "channels": 3, "resize": "crop", **look}
    return np.stack(list(read_frames(path, Look(**shape), Told() if told is None else told)))


def shown(times: list[float], end: float, rate: float, late: float) -> list[int]:
    """Which frame is shown at each k / rate, by looking at all of them."""
    found, k = [], 0
    while k / rate < end - late:
        found.append(max(i for i, t in enumerate(times) if t <= k / rate + late))
        k += 1
    return found


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.mov"])
@pytest.mark.parametrize("rate", [3.7, 10, 24, 100])
def test_frames_of_a_variable_rate_are_those_shown_at_each_time(tmp_path, name, rate):
    times = np.cumsum(np.random.default_rng(7).choice([3, 20, 41, 90, 210], 30)).tolist()
    path = write(tmp_path / name, numbered(30), times=times)
    with av.open(str(path)) as container:
        decoded = list(container.decode(video=0))
    tick = float(decoded[0].time_base)
    begin = [(frame.pts - decoded[0].pts) * tick for frame in decoded]
    assert np.allclose(begin, (np.array(times) - times[0]) / 1000, atol=tick)
    end = begin[-1] + decoded[-1].duration * tick
    found = numbers(frames_of(path, told := Told(), rate=rate))
    assert found == shown(begin, end, rate, min(tick / 2, 5e-4))
    assert told.variable and told.again == sum(a == b for a, b in pairwise(found))


def test_the_choice_of_frames_against_exact_fractions():
    random = np.random.default_rng(3)
    for _ in range(200):
        ticks = np.cumsum(random.integers(1, 90, random.integers(1, 25)))
        begin = [Fraction(int(t - ticks[0]), 600) for t in ticks]
        end, rate = begin[-1] + Fraction(7, 600), int(random.integers(1, 40))
        expected = [
            max(i for i, t in enumerate(begin) if t <= Fraction(k, rate))
            for k in range(2000)
            if Fraction(k, rate) < end
        ]
        frames = [
            (float(a), float(b), i)
            for i, (a, b) in enumerate(zip(begin, [*begin[1:], end], strict=True))
        ]
        assert [i for i, _ in at_rate(frames, rate, 1e-9)] == expected


@pytest.mark.parametrize(("stored", "wanted"), [(30, 15), (30, 30), (24, 12)])
def test_milliseconds_of_matroska_shift_no_frame(tmp_path, stored, wanted):
    """Its time stamps are rounded, so that a frame may seem to begin a little after its time."""
    path = write(tmp_path / "v.mkv", numbered(24), rate=stored)
    step = round(stored / wanted)
    expected = list(range(0, 24, step))
    assert numbers(frames_of(path, rate=wanted))[: len(expected)] == expected


def test_a_rate_above_that_of_the_file_repeats_frames_and_says_so(tmp_path):
    for i in range(9):
        write(tmp_path / f"v/{i}.mp4", noise(i, 5), rate=5)
    store = prepared("folder", tmp_path / "v", tmp_path / "out", frame_rate=10)
    frames = store.frames[:10]
    assert np.array_equal(frames[::2], frames[1::2]) and len(store.frames) == 90
    assert any(
        note.startswith("9 of 9 videos have frames further apart") for note in store.manifest["notes"]
    )


def test_every_frame_without_a_rate_and_the_rates_that_were_found(tmp_path):
    for i in range(8):
        write(tmp_path / f"v/{i}.mp4", noise(i, 6), rate=[5, 25][i % 2])
    write(tmp_path / "v/8.mp4", noise(8, 6), times=[0, 10, 200, 250, 300, 310])
    store = prepared("folder", tmp_path / "v", tmp_path / "out")
    assert len(store.frames) == 54
    assert store.manifest["rates"] == {"lowest": 5.0, "highest": 25.0, "variable": 1}
    assert "frame rates found: 5 to 25 per second; 1 of 9 videos vary" in store.manifest["notes"]


CORNERS = np.zeros((32, 48, 3), np.uint8)
CORNERS[:16, :24], CORNERS[:16, 24:], CORNERS[16:, :24] = (240, 20, 20), (20, 220, 20), (20, 20, 240)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_frames_are_upright_as_the_display_matrix_says(tmp_path, degrees, mirrored):
    path = write(
        tmp_path / "v.mp4", np.stack([CORNERS] * 3), codec="libx264", degrees=degrees, hflip=mirrored
    )
    upright = np.rot90(CORNERS, degrees // 90)  # counter-clockwise, as PyAV counts
    upright = upright[:, ::-1] if mirrored else upright
    found = frames_of(path, size=upright.shape[:2])
    assert np.abs(found[0].astype(int) - upright).mean() < 8


def test_a_matrix_of_no_quarter_turn_is_refused():
    c = round(2**16 * 0.7071)
    with pytest.raises(ValueError, match="does not turn by quarters"):
        turned(CORNERS, np.array([c, c, 0, -c, c, 0, 0, 0, 2**30], np.int32))


@pytest.mark.parametrize("pixels", ["yuv420p", "yuvj420p"])
def test_brightness_is_that_of_the_scene_in_both_ranges(tmp_path, pixels):
    """16 to 235 of studio range and 0 to 255 of full range both become 0 to 255, in grey as in RGB."""
    grey = np.repeat(np.array([0, 128, 255], np.uint8), 4)[:, None, None, None]
    path = write(
        tmp_path / "v.mov", np.broadcast_to(grey, (12, 32, 32, 3)), codec="mjpeg" if "j" in pixels else "mpeg4",
        pixels=pixels,
    )  # fmt: skip
    for channels in (1, 3):
        levels = frames_of(path, channels=channels).reshape(12, -1).mean(1)
        assert np.abs(levels - np.repeat([0, 128, 255], 4)).max() <= 3


@pytest.mark.parametrize("resize", ["crop", "stretch"])
@pytest.mark.parametrize("channels", [1, 3])
def test_resizing_is_that_of_pillow(resize, channels):
    pixels = RNG.integers(0, 256, (40, 60, 3), np.uint8)
    found = Look((18, 12), channels, resize).of_array(pixels)
    image = Image.fromarray(pixels).convert("RGB" if channels == 3 else "L")
    if resize == "crop":  # the middle 40 x 26.7, as 18 x 12 is higher than wide
        image = image.resize(
            (12, 18), Image.Resampling.BICUBIC, (60 / 2 - 40 / 3, 0, 60 / 2 + 40 / 3, 40)
        )
    else:
        image = image.resize((12, 18), Image.Resampling.BICUBIC)
    assert np.array_equal(found, np.asarray(image).reshape(18, 12, channels))


def test_more_workers_change_nothing(videos, tmp_path):
    one, two = (prepared("folder", videos, tmp_path / str(n), n, frame_rate=20) for n in (1, 2))
    assert one.manifest == two.manifest


def test_what_it_takes_is_said_first_and_refused_where_the_disk_is_full(
    videos, tmp_path, capsys, monkeypatch
):
    store = prepared("folder", videos, tmp_path / "out")
    said = capsys.readouterr().out
    assert said.startswith(
        "frames.npy will take about 98.3 kB: 16 videos, 128 frames of 16 x 16 x 3 bytes"
    )
    assert store.frames.nbytes == 98304
    full = shutil.disk_usage(tmp_path)._replace(free=98303)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    with pytest.raises(InputError, match=r"would take about 98\.3 kB .* has 98\.3 kB free"):
        prepare(settings("folder", videos), tmp_path / "full", 1)
    assert not (tmp_path / "full").exists()


def short_one(videos, folder):
    shutil.copytree(videos, folder)
    write(folder / "a/short.mp4", noise(50, 2))
    return folder


def test_short_videos(videos, tmp_path):
    folder = short_one(videos, tmp_path / "v")
    with pytest.raises(
        InputError, match=r"a/short\.mp4: 2 frames, fewer than clip_length 4; set on_short"
    ):
        prepared("folder", folder, tmp_path / "out")
    dropped = prepared("folder", folder, tmp_path / "drop", on_short="drop")
    assert dropped.manifest["dropped"] == ["a/short.mp4: 2 frames, fewer than 4"] and len(dropped) == 32
    repeated = prepared("folder", folder, tmp_path / "repeat", on_short="repeat")
    assert repeated.manifest["repeated"] == 1 and len(repeated) == 33
    clip = repeated.samples(np.array([16]))[0]
    assert np.array_equal(clip[1], clip[2]) and np.array_equal(clip[1], clip[3])
    assert not np.array_equal(clip[0], clip[1])


def test_frames_beyond_the_most_are_not_taken_and_clips_may_overlap(videos, tmp_path):
    store = prepared("folder", videos, tmp_path / "out", max_frames=7, clip_stride=2)
    assert len(store.frames) == 16 * 7 and len(store) == 16 * 2
    with (tmp_path / "out/splits.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["source"] for row in rows[:3]] == ["a/0.mp4@0", "a/0.mp4@2", "a/1.mp4@0"]
    first, second = store.samples(np.array([0, 1]))
    assert np.array_equal(first[2:], second[:2])


def test_unreadable_videos_are_left_out_up_to_a_share(videos, tmp_path):
    shutil.copytree(videos, tmp_path / "v")
    (tmp_path / "v/b/x.mp4").write_bytes(b"no video at all")
    (tmp_path / "v/b/notes.txt").write_text("hello")
    store = prepared("folder", tmp_path / "v", tmp_path / "out", on_error="skip", max_skipped=0.2)
    notes, x = store.manifest["skipped"]
    assert "b/notes.txt: found a name that ends in '.txt', expected a video" in notes
    assert "b/x.mp4: cannot be decoded" in x and len(store) == 32
    with pytest.raises(
        InputError,
        match=r"2 unreadable videos of 18, expected at most 1 .*0.1\): raise max_skipped to 0.12, or",
    ):
        prepared("folder", tmp_path / "v", tmp_path / "out", on_error="skip", max_skipped=0.1)


def test_no_video_and_no_group_stands_in_two_parts(videos, tmp_path):
    store = prepared("folder", videos, tmp_path / "out", clip_stride=1, groups=r"(\d)\.mp4")
    with (tmp_path / "out/splits.csv").open() as file:
        rows = list(csv.DictReader(file))
    for unit in (lambda row: row["source"].split("@")[0], lambda row: row["group"]):
        parts = {}
        for row in rows:
            parts.setdefault(unit(row), set()).add(row["split"])
        assert all(len(found) == 1 for found in parts.values())
    assert {row["group"] for row in rows} == set("01234567")
    assert store.manifest["columns"]["unit"] == "group"
    assert store.manifest["groups"]["number"] == 8 and store.manifest["groups"]["across_splits"] == 0


def test_statistics_and_counts_are_those_of_the_store(videos, tmp_path):
    store = prepared("folder", videos, tmp_path / "out")
    train = np.concatenate([store.frames[b : b + n] for b, n, part in store.videos if part == 0]) / 255
    pixels, counts = store.manifest["pixels"], store.manifest["counts"]
    assert np.allclose(pixels["mean"], train.mean((0, 1, 2))) and pixels["fitted_on"] == "train"
    assert np.allclose(pixels["std"], train.std((0, 1, 2)))
    for code, part in enumerate(("train", "val", "test")):
        assert counts[part]["samples"] == (store.split == code).sum() == sum(counts[part]["per_class"])
        assert counts[part]["videos"] == (store.videos[:, 2] == code).sum()


def arrays(folder, x, **more):
    folder.mkdir(exist_ok=True)
    np.savez(folder / "x.npz", x=x, **more)
    return folder / "x.npz"


def test_equal_clips_of_given_parts_are_a_leak(tmp_path):
    x = RNG.integers(0, 256, (14, 8, 16, 16, 3), np.uint8)
    x[13, 4:] = x[2, :4]  # the second clip of one is the first of another
    x[3, :4] = x[2, 4:]  # within train
    path = arrays(tmp_path / "in", x, split=np.repeat(["train", "val", "test"], [8, 3, 3]))
    with pytest.raises(
        InputError, match=r"1 videos of val and test \(1 of test\) .* x.npz\[13\] and x.npz\[2\]"
    ):
        prepared("arrays", path, tmp_path / "fail")
    dropped = prepared("arrays", path, tmp_path / "drop", on_copies="drop")
    assert np.array_equal(dropped.frames.reshape(13, 8, 16, 16, 3), np.delete(x, 13, 0))
    assert dropped.manifest["duplicates"]["across_splits"] == 0
    assert dropped.manifest["dropped"] == [
        "x.npz[13]: a clip equal to one of x.npz[2], of an earlier part"
    ]
    told = "left out: 1 videos with a clip of an earlier part (on_copies drop): x.npz[13]"
    assert told in dropped.manifest["notes"]
    kept = prepared("arrays", path, tmp_path / "keep", on_copies="keep")
    assert kept.manifest["duplicates"] == {
        "copies": 2, "constant": 0, "across_splits": 1, "examples": [["x.npz[13]", "x.npz[2]"]]
    }  # fmt: skip
    told = "1 of 28 clips equal an earlier one of the same part, e.g. x.npz[3]@0 and x.npz[2]@4"
    assert told in kept.manifest["notes"]
    assert describe(kept.manifest, "data")["leaks"] and "LEAK" in summary(kept.manifest, tmp_path)[-1]


def test_videos_with_a_clip_in_common_stay_together(tmp_path):
    x = RNG.integers(0, 256, (40, 8, 16, 16, 3), np.uint8)
    x[20:, 4:] = x[:20, :4]
    store = prepared("arrays", arrays(tmp_path / "in", x), tmp_path / "out")
    part = store.videos[:, 2]
    assert np.array_equal(part[:20], part[20:]) and len(set(part)) == 3


def test_black_clips_are_no_copies_and_still_videos_are_counted(tmp_path):
    x = RNG.integers(0, 256, (20, 8, 16, 16, 3), np.uint8)
    x[:, :4] = 0
    x[5] = x[5, -1:]
    path = arrays(tmp_path / "in", x, split=np.repeat(["train", "val", "test"], [10, 5, 5]))
    store = prepared("arrays", path, tmp_path / "out")
    notes = store.manifest["notes"]
    assert "1 of 20 videos never change: all of their frames are equal" in notes
    assert any(note.startswith("19 of 40 clips have a single colour") for note in notes)
    assert store.manifest["duplicates"]["copies"] == 1  # the still video's own two clips


def test_targets_stand_in_columns_of_their_own(tmp_path):
    x = RNG.integers(0, 256, (12, 8, 16, 16, 3), np.uint8)
    mass, camera = np.linspace(0, 1, 12), np.repeat(["c1", "c2"], 6)
    path = arrays(tmp_path / "in", x, mass=mass, camera=camera)
    store = prepared("arrays", path, tmp_path / "out", targets="mass", nuisances=["camera"])
    with (tmp_path / "out/splits.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["target:mass"]) for row in rows[::2]] == mass.tolist()
    assert [row["target:camera"] for row in rows[1::2]] == camera.tolist()
    assert store.manifest["columns"] == {
        "unit": "video",
        "recordings": None,
        "targets": {"mass": "numbers", "camera": "classes"},
        "nuisance_targets": ["camera"],
    }


def test_new_videos_look_as_those_of_the_store(videos, tmp_path):
    changes = {"image_size": [12, 20], "frame_rate": 20, "channels": 1, "resize": "stretch"}
    store = prepared("folder", videos, tmp_path / "out", **changes)
    description = {**changes, "clip_length": 4}
    names, clips = read(videos, description)
    first = store.samples(
        np.flatnonzero(np.diff(store.windows.segment(np.arange(len(store))), prepend=-1))
    )
    assert names[0] == "a/0.mp4" and np.array_equal(clips(0, len(names)), first)
    with pytest.raises(InputError, match=r"found 7 frames at 20 per second, expected at least 9"):
        read(videos, description | {"clip_length": 9})[1](0, 1)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("x.mp4", "mpeg4", {"movflags": "faststart"}),
        ("x.mkv", "mpeg4", {}),
        ("x.webm", "libvpx", {}),
        ("x.avi", "mpeg4", {}),
    ],
)
def test_a_file_that_was_cut_off_is_noted_or_refused(tmp_path, name, codec, options):
    """A tenth of the frames and more missing: broken. Fewer: kept, and said."""
    for i in range(3):
        write(tmp_path / f"v/{i}.mp4", noise(i))
    path = write(tmp_path / "v" / name, noise(0, 40), codec=codec, options=options)
    whole, kept = path.read_bytes(), []
    for share in np.arange(0.98, 0.85, -0.02):
        path.write_bytes(whole[: int(len(whole) * share)])
        try:
            kept.append((len(frames_of(path, told := Told())), told.lacks, share))
        except InputError as error:
            assert "its header tells" in str(error)
    assert all(frames + lacks == 40 and frames >= 36 for frames, lacks, _ in kept)
    cut = next(share for frames, lacks, share in kept if lacks)
    path.write_bytes(whole[: int(len(whole) * cut)])
    notes = prepared("folder", tmp_path / "v", tmp_path / "out").manifest["notes"]
    assert any(
        note.startswith("1 of 4 videos have fewer frames than their headers tell") for note in notes
    )
    path.write_bytes(whole[: len(whole) * 6 // 10])
    with pytest.raises(
        InputError, match=rf"{name}: ends after \d+ frames .*; truncated or damaged: copy"
    ):
        prepared("folder", tmp_path / "v", tmp_path / "again")


def test_a_missing_end_of_mpeg_is_marked(tmp_path):
    path = write(tmp_path / "x.mpg", noise(0, 40), codec="mpeg2video")
    frames_of(path, told=(whole := Told()))
    path.write_bytes(path.read_bytes()[:3500])
    frames_of(path, told=(cut := Told()))
    assert whole.endless and not whole.damaged and cut.damaged


def test_a_long_video_is_never_held_whole(tmp_path):
    for i in range(9):
        write(tmp_path / f"v/{i}.mp4", noise(i, 900 if i == 4 else 8))
    tracemalloc.start()
    try:
        store = prepared("folder", tmp_path / "v", tmp_path / "out", image_size=64)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert store.frames.nbytes > 11e6 and peak < 5e6


def test_equal_videos_with_two_labels_are_told(tmp_path):
    x = RNG.integers(0, 256, (24, 4, 8, 8, 3), np.uint8)
    x[5] = x[3] = x[0]
    path = arrays(tmp_path / "in", x, y=np.array(["run", "sit"])[np.arange(24) % 2])
    notes = prepared("arrays", path, tmp_path / "out", image_size=8).manifest["notes"]
    told = "with another label, e.g. x.npz[3] ('sit') and x.npz[0] ('run')"
    assert any(note.startswith("2 of 24 videos have a clip equal") and told in note for note in notes)


def test_parts_that_are_drawn_and_groups_are_told(tmp_path):
    x = RNG.integers(0, 256, (24, 4, 8, 8, 3), np.uint8)
    path = arrays(
        tmp_path / "in",
        x,
        split=np.repeat(["train", "test"], [18, 6]),
        groups=np.arange(24) // 2,
    )
    store = prepared("arrays", path, tmp_path / "out", image_size=8)
    assert "val is drawn from train, as the source gives no val" in store.manifest["notes"]
    per = store.manifest["groups"]["per_split"]
    told = f"12 groups of array 'groups': train {per['train']}, val {per['val']}, test 3"
    assert told in summary(store.manifest, tmp_path / "out")
    path = arrays(tmp_path / "in", x, split=np.repeat(["train", "val", "test", ""], 6))
    notes = prepared("arrays", path, tmp_path / "all", image_size=8).manifest["notes"]
    assert "6 of 24 videos have no given part and are taken as train" in notes
    path = arrays(tmp_path / "in", x, split=np.repeat(["test", ""], [6, 18]))
    notes = prepared("arrays", path, tmp_path / "some", image_size=8).manifest["notes"]
    assert "val is drawn from the 18 videos without a given part, as the source gives no val" in notes


def test_missing_values_and_texts_between_numbers_are_told(tmp_path):
    x = RNG.integers(0, 256, (12, 4, 8, 8, 3), np.uint8)
    mass = np.linspace(0, 1, 12)
    mass[3] = np.nan
    weight = np.array([*map(str, range(10)), "n/a", ""])
    path = arrays(tmp_path / "in", x, mass=mass, weight=weight)
    spec = {"image_size": 8, "targets": "mass"}
    notes = prepared("arrays", path, tmp_path / "out", nuisances="weight", **spec).manifest["notes"]
    assert "mass: taken as numbers; 11 of 12 videos have a value" in notes
    assert "weight: taken as classes; 11 of 12 videos have a value" in notes
    told = next(note for note in notes if "though" in note)
    assert told.startswith(
        "weight: taken as classes, though 10 of 11 values are numbers; 'n/a' is not: nuisances: "
        "{weight: numbers} needs numbers or empty cells"
    )
    meant = {"weight": "classes"}
    notes = prepared("arrays", path, tmp_path / "meant", nuisances=meant, **spec).manifest["notes"]
    assert not any("though" in note for note in notes)


@pytest.mark.parametrize(
    ("length", "stride", "most", "spare"), [(4, None, 7, 3), (3, 2, 8, 1), (2, 5, None, 4)]
)
def test_frames_in_no_clip_are_told(videos, tmp_path, length, stride, most, spare):
    changes = {"clip_length": length, "clip_stride": stride, "max_frames": most}
    store = prepared("folder", videos, tmp_path / "out", **changes)
    start = store.windows.places(np.arange(len(store)))[0]
    used = np.unique(start[:, None] + np.arange(length))
    stored = len(store.frames)
    assert stored - len(used) == store.manifest["frames"]["in_no_clip"] == 16 * spare
    said = "\n".join(summary(store.manifest, tmp_path / "out"))
    assert f"frames: {stored} stored; {16 * spare} of {stored} frames are in no clip" in said
    assert f"; of {length} frames, a clip begins every {stride or length} frames" in said


def test_rates_of_videos_that_were_read_in_part_say_so(tmp_path):
    times = [0, 40, 80, 120, 160, 200, 240, 800, 900]
    for i in range(8):
        write(tmp_path / f"v/{i}.mp4", noise(i, 9), times=times)
    whole = prepared("folder", tmp_path / "v", tmp_path / "whole").manifest
    part = prepared("folder", tmp_path / "v", tmp_path / "part", max_frames=5).manifest
    assert whole["rates"]["variable"] == 8 and whole["rates"]["highest"] < 10
    assert part["rates"] == {"lowest": 25.0, "highest": 25.0, "variable": 0}
    told = "frame rates found: 25 per second; 0 of 8 videos vary (of the part that was read)"
    assert told in part["notes"] and not any("that was read" in note for note in whole["notes"])


@pytest.mark.parametrize(
    ("name", "codec"), [("x.mkv", "mpeg4"), ("x.webm", "libvpx"), ("x.mp4", "mpeg4"), ("x.avi", "mpeg4")]
)
@pytest.mark.parametrize("start", [300, 5000])
def test_time_stamps_that_begin_late_are_no_missing_frames(tmp_path, name, codec, start):
    times = [start + 100 * i for i in range(30)]
    path = write(tmp_path / name, numbered(30), times=times, codec=codec)
    assert len(frames_of(path, told := Told())) == 30 and told.lacks == 0
    whole = path.read_bytes()
    if name in ("x.mkv", "x.webm"):
        assert len(frames_of(path, rate=10)) == 30
        path.write_bytes(whole[: len(whole) * 6 // 10])
        with pytest.raises(InputError, match=r"its header tells (2\.9|3\.0)\d s; truncated"):
            frames_of(path)


def test_lengths_of_mkvmerge_are_taken_as_they_are():
    class Stream:
        duration, time_base, start_time = None, Fraction(1, 1000), 2000
        metadata: ClassVar = {"DURATION": "00:00:08.0"}

    class Container:
        class format:
            name = "matroska,webm"

    assert own_duration(Container, Stream) == 6
    Stream.metadata = {**Stream.metadata, "_STATISTICS_WRITING_APP": "mkvmerge"}
    assert own_duration(Container, Stream) == 8


def test_all_unreadable_videos_are_counted_before_any_is_decoded(tmp_path):
    for i in range(36):
        write(tmp_path / f"v/{i}.mp4", noise(i, 4))
    for i in range(4):
        (tmp_path / f"v/bad{i}.mp4").write_bytes(b"no video at all")
    told = (
        r"4 unreadable videos of 40, expected at most 0 \(max_skipped 0.01\): raise max_skipped to 0.1, "
    )
    with pytest.raises(InputError, match=told):
        prepared("folder", tmp_path / "v", tmp_path / "out", on_error="skip")
    store = prepared("folder", tmp_path / "v", tmp_path / "more", on_error="skip", max_skipped=0.1)
    assert len(store.manifest["skipped"]) == 4


def test_new_videos_may_be_one_file(videos):
    spec = {"image_size": [8, 8], "channels": 3, "resize": "crop", "frame_rate": None, "clip_length": 4}
    names, clips = read(videos / "a/0.mp4", spec)
    assert names == ["0.mp4"] and np.array_equal(clips(0, 1), read(videos, spec)[1](0, 1))
