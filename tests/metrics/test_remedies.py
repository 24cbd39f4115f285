"""Patches for kinds of data that do without the blocks ``model`` and ``predictor``."""

from typing import Literal

import pytest

from jepa_steps.config import JepaRun, parse, resolved
from jepa_steps.metrics import remedies


class Bare(JepaRun):
    encoder: Literal["bare"]


@pytest.mark.parametrize(
    "objective",
    [
        {"kind": "ema_target"},
        {"kind": "vicreg"},
        {"kind": "vicreg", "level": "pooled"},
        {"kind": "sigreg"},
    ],
)
def test_general_remedies_need_no_block_of_a_kind(objective):
    s = parse(Bare, {"encoder": "bare", "objective": objective}, "test")
    general = remedies.GENERAL
    patches = [
        *(f(s) for f in (remedies.slower, remedies.more_spread, remedies.more_directions)),
        remedies.fewer_dimensions(s, 0.5),
        remedies.deeper_predictor(s),
        general.two_views(s),
        general.content_over_position(s),
        general.more_regularisation(s),
    ]
    for patch in patches:
        changed = parse(Bare, remedies.merge(resolved(s), patch), "patched")
        assert patch == {} or changed != s
