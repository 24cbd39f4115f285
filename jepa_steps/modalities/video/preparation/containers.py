"""Video files opened by PyAV: their stream of pictures, or one clear reason why there is none."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ....errors import InputError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

SUFFIXES = (".mp4", ".avi", ".webm", ".mov", ".mkv", ".m4v", ".mpg", ".gif")


def need_pyav() -> None:
    """Raises InputError where PyAV is not installed."""
    try:
        import av  # noqa: F401
    except ImportError:
        raise InputError(
            "video files are decoded by PyAV, which is not installed; install it with pip install "
            "'jepa-steps[video]'"
        ) from None


def check_name(path: Path) -> None:
    """Raises InputError where a file's name does not end as that of a video."""
    if path.suffix.lower() not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise InputError(
            f"{path}: found a name that ends in {path.suffix!r}, expected a video ({known})"
        )


@contextmanager
def opened(path: Path) -> Iterator[tuple["InputContainer", "VideoStream"]]:
    """A file and its stream of pictures, decoded by one thread: files share the cores, not frames.

    Raises:
        InputError: whatever is wrong with the file, also while it is read; one line that names it.
    """
    import av

    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: empty file (0 bytes), expected a video")
        # "file:", as a colon in a name would read as a protocol; none but files, as lists name others
        with av.open(
            f"file:{path}", metadata_errors="replace", options={"protocol_whitelist": "file"}
        ) as container:
            stream = _stream(container, path)
            stream.thread_type = "NONE"
            stream.codec_context.thread_count = 1
            yield container, stream
    except (InputError, GeneratorExit):
        raise
    except Exception as error:  # a damaged file raises what its decoder raises
        raise InputError(f"{path}: cannot be decoded: {_reason(error, path)}") from None


def _stream(container: "InputContainer", path: Path) -> "VideoStream":
    import av

    if any(name.endswith("_pipe") or name in _PICTURES for name in container.format.name.split(",")):
        raise InputError(f"{path}: found a {container.format.name} file, expected a video")
    cover = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not streams:
        found = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise InputError(f"{path}: no pictures in this file ({found} only), expected a video")
    return max(streams, key=lambda stream: stream.codec_context.width * stream.codec_context.height)


_PICTURES = ("image2", "tty", "ico", "alias_pix", "brender_pix")  # what FFmpeg takes for videos, too


def _reason(error: Exception, path: Path) -> str:
    """What a decoder said, without the path, which stands before it."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0].replace(f"file:{path}", "it")
