"""Figures are written as matplotlib itself would write them, in less time."""

import numpy as np
import pytest

from jepa_steps.figures import style


def lines(panels):
    for axes in panels:
        axes.plot(np.arange(1, 50), np.geomspace(1, 1e-4, 49), label="loss")
        axes.set(xlabel="step", ylabel="loss", yscale="log", title="a title")
        axes.legend()


def image(panels):
    shown = panels[0].imshow(np.random.default_rng(0).random((20, 30)), cmap="Blues")
    panels[0].figure.colorbar(shown, ax=panels[0])


@pytest.mark.parametrize(("draw", "panels"), [(lines, 1), (lines, 3), (image, 1)])
def test_drawn_once_is_the_same_as_drawn_twice(draw, panels, tmp_path):
    for name in ("ours", "plain"):
        figure, axes = style.new(panels=panels)
        draw(axes)
        path = tmp_path / f"{name}.svg"
        style.save(figure, path) if name == "ours" else figure.savefig(path, metadata={"Date": None})
    assert (tmp_path / "ours.svg").read_bytes() == (tmp_path / "plain.svg").read_bytes()


def test_a_figure_may_be_saved_under_two_names(tmp_path):
    figure = style.message("nothing to draw")
    for name in "ab":
        style.save(figure, tmp_path / f"{name}.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
