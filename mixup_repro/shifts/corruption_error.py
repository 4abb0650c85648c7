"""Mean corruption error on ImageNet-C (Hendrycks and Dietterich, 2019)."""

from __future__ import annotations

import pandas as pd

from mixup_repro.shifts.corruptions import SEVERITIES
from mixup_repro.stats import NoValues

# AlexNet's error, mean over five severities, of the 15 corruptions that make up the mCE.
ALEXNET = {
    "gaussian_noise": 0.886428,
    "shot_noise": 0.894468,
    "impulse_noise": 0.922640,
    "defocus_blur": 0.819880,
    "glass_blur": 0.826268,
    "motion_blur": 0.785948,
    "zoom_blur": 0.798360,
    "snow": 0.866816,
    "frost": 0.826572,
    "fog": 0.819324,
    "brightness": 0.564592,
    "contrast": 0.853204,
    "elastic_transform": 0.646056,
    "pixelate": 0.717840,
    "jpeg_compression": 0.606500,
}


def mean_corruption_error(rows: pd.DataFrame) -> float:
    """mCE = mean over 15 corruptions of (mean error over five severities) / (AlexNet's).

    rows: corruption, severity and accuracy on ImageNet-C, one row a set; other corruptions do not
        count. 1 is AlexNet's level.

    Raises:
        NoValues: one of the 75 sets is missing.
    """
    error = 1 - rows.set_index(["corruption", "severity"])["accuracy"]
    sets = pd.MultiIndex.from_product([ALEXNET, SEVERITIES])
    if not sets.isin(error.index).all():
        raise NoValues("the mean corruption error needs 15 corruptions at five severities")
    means = error.loc[sets].groupby(level=0).mean()
    return float((means / pd.Series(ALEXNET)).mean())
