"""What is measured of the same samples at every stage of training: a row of snapshots.csv.

Shapes: n samples, q views of a sample, D dimensions.
"""

from typing import Any

import numpy as np

from ..draws import evenly
from . import geometry, lidar, normality, spectrum
from .embedding import row_statistics
from .moments import moments

_PAIRED = 2048  # rows behind uniformity, which takes all pairs of them
_RANKS = ("effective_rank", "participation_ratio", "stable_rank", "condition_number")
_SPREAD = ("relative_spread", "mean_std", "min_std", "variance_term", "covariance_term",
           "mean_abs_correlation", "high_correlation_share")  # fmt: skip


def stage(rows: np.ndarray, views_nqD: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
    """(statistics by name, singular values of the centred rows) of embeddings float32 (n, D).

    None stands for what cannot be measured: ranks of too few rows, LiDAR and alignment without views.
    """
    m, statistics = moments(rows), row_statistics(rows)
    ranks, sigma = spectrum.summary(m), spectrum.singular_values(m)
    viewed = len(views_nqD) > 1
    of_views = lidar.lidar(views_nqD) if viewed else {"lidar": None, "trust": None}
    centred = ranks["centred"]
    alpha, (low, high) = centred["alpha_req"], centred["alpha_req"]["ranks"] or (None, None)
    return {
        "n": m.n,
        "trust": ranks["trust"],
        **{name: centred[name] for name in _RANKS},
        "directions": spectrum.directions(sigma),
        "rankme": ranks["raw"]["rankme"],
        "alpha_req": alpha["alpha"],
        "alpha_req_r2": alpha["r2"],
        "alpha_req_first": low,
        "alpha_req_last": high,
        "lidar": of_views["lidar"],
        "lidar_trust": of_views["trust"],
        "sigreg_ratio": normality.sigreg_ratio(rows),
        "uniformity": geometry.uniformity(evenly(rows, _PAIRED)),
        "alignment": geometry.alignment(views_nqD) if viewed else None,
        "self_cluster": geometry.self_cluster(rows),
        **{name: statistics[name] for name in _SPREAD},
    }, sigma
