"""What each numbered statement of the paper says, and the function that checks it."""

from __future__ import annotations

from mixup_repro.papers.chidambaram2022 import section2, section3
from mixup_repro.papers.claims import Theorem

THEOREMS = (
    Theorem(
        "prop2_2",
        "Prop. 2.2",
        "No continuous classifier has a smaller Mixup loss than h.",
        section2.proposition_2_2,
    ),
    Theorem(
        "lemma2_3",
        "Lemma 2.3, Cor. C.1",
        "The Mixup-optimal classifier h_eps is (1), and continuous on X_mix.",
        section2.lemma_2_3,
    ),
    Theorem(
        "prop2_5",
        "Prop. 2.5",
        "The limit h of h_eps can be discontinuous.",
        section2.proposition_2_5,
    ),
    Theorem(
        "thm2_7",
        "Thm 2.7",
        "For every eps some alpha makes h_eps err on X_3^2.",
        section2.theorem_2_7,
    ),
    Theorem("prop2_8", "Prop. 2.8", "h is right on finite data.", section2.proposition_2_8),
    Theorem(
        "thm2_10",
        "Thm 2.10",
        "h is continuous on the data under Assumption 2.9.",
        section2.theorem_2_10,
    ),
    Theorem(
        "one_true_point",
        "sec. 2.5",
        "Mixup sees one true data point an epoch in expectation.",
        section2.one_true_point,
    ),
    Theorem("thm2_11", "Thm 2.11", "Midpoints determine the points.", section2.theorem_2_11),
    Theorem(
        "lemmaC_2",
        "Lemma C.2",
        "Unless PA is A with its columns permuted, [A, PA] has a rank above m.",
        section2.lemma_c_2,
    ),
    Theorem(
        "thm3_2",
        "Thm 3.2",
        "Where Assumption 3.1 holds for class i, h says i and is continuous.",
        section3.theorem_3_2,
    ),
    Theorem(
        "thm3_5",
        "Thm 3.5",
        "Where the maximum margin solution interpolates, Mixup's linear solution points its way.",
        section3.theorem_3_5,
    ),
    Theorem(
        "lemmaE_1",
        "Lemma E.1",
        "The Mixup loss of two points is strictly convex on their span.",
        section3.lemma_e_1,
    ),
    Theorem(
        "lemma3_7",
        "Lemma 3.7",
        "For d > 10 n ln n + n - 1 the maximum margin solution interpolates, at a rate of 1 - 2/n.",
        section3.lemma_3_7,
    ),
    Theorem(
        "cor3_8",
        "Cor. 3.8",
        "In high dimension Mixup and ERM by gradient descent point the same way.",
        section3.corollary_3_8,
    ),
)
