"""Where the notes contradict each other, or themselves, and what decides."""

from mixup_repro.papers.items import Contradiction

CONTRADICTIONS = (
    Contradiction(
        "B15: Mixup adds variance to the gradient, which helps",
        "B26: it reduces the gradient's variance, which helps",
        "both can be shown: the mixing adds a part of its own (`grad_added`), and the total of a "
        "linear model falls (`grad_variance`), but only as the gradient itself does (`grad_snr`)",
    ),
    Contradiction(
        "C82: neither method guarantees adversarial robustness",
        "B36: it provably reduces the adversarial risk; A15: certifiable margins",
        "C82, as far as what is proven is an inequality of losses to second order "
        "(`adv_certified`)",
    ),
    Contradiction(
        "A16: linear only along segments between examples",
        "A8: trained on the entire convex hull",
        "A16 in two dimensions or more, where segments have no area (`vrm_hull`)",
    ),
    Contradiction(
        "B8: a 70/30 mix is predicted 70/30",
        "B29: a mix of two classes is predicted 1/2",
        "B8, wherever lambda can be told from the input (`optimal_half`)",
    ),
    Contradiction(
        "B29: predictions are better calibrated",
        "B40: they can be less uncertain than Bayes' between the classes",
        "both happen: less uncertain for overlapping plateaus, never for two equal Gaussians "
        "(`active_entropy`); calibration is a question to runs (`calibration_ece`)",
    ),
    Contradiction(
        "A23: Mixup's confidences need no correction afterwards",
        "C74: Mixup often (not always) improves the calibration error",
        "a question to runs: Mixup with and without a temperature (`calibration_posthoc`)",
    ),
)
