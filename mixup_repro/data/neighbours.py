"""Scikit-learn's digits as nodes of a graph, which joins each scan to those nearest to it."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse

from mixup_repro.data.dataset import Dataset
from mixup_repro.data.images import digits
from mixup_repro.errors import InputError
from mixup_repro.plan import stream
from mixup_repro.schema import DatasetConfig

NEAREST = 5  # scans that each one is joined to


def digits_graph(config: DatasetConfig) -> Dataset:
    """Digits as S^hops X, their neighbourhoods embedded; few of them labelled, drawn per seed.

    X: pixels of all 1,797 scans. S: `averaging` over their graph, which has no labels. Training:
    dataset.points scans of digits' training half, as many of each class. Test: its test half.

    Raises:
        InputError: points that are no multiple of ten, or more than there are; or hops below 0.
    """
    points, hops, scans = config.points or 0, config.hops, digits(DatasetConfig("digits"))
    most = 10 * int(scans.y_train.bincount().min())
    if points % 10 or not 0 < points <= most or hops is None or hops < 0:
        raise InputError(
            f"dataset.points={points}, dataset.hops={hops}: digits_graph needs a multiple of 10 up "
            f"to {most} points, and hops >= 0"
        )
    pixels = torch.cat([scans.x_train, scans.x_test]).flatten(1).double().numpy()
    features = embedded(pixels, hops)
    x = torch.from_numpy((features - features.mean()) / features.std()).float()
    x_train, x_test = x.split([scans.n_train, scans.n_test])

    def draw(seed: int) -> Dataset:
        order = torch.from_numpy(stream(seed, "data").permutation(scans.n_train))
        y = scans.y_train[order]
        chosen = torch.cat([order[y == k][: points // 10] for k in range(10)])
        parts = (x_train[chosen], scans.y_train[chosen], x_test, scans.y_test)
        return Dataset(f"digits_graph-{points}-{hops}", *parts, classes=10, draw=draw)

    return draw(0)


def embedded(x: np.ndarray, hops: int) -> np.ndarray:
    """S^hops X of points x (n, d), by the graph of their nearest."""
    from sklearn.neighbors import kneighbors_graph

    joined = kneighbors_graph(x, NEAREST)
    s = averaging(joined.maximum(joined.T))
    for _ in range(hops):
        x = s @ x
    return x


def averaging(adjacency: sparse.csr_matrix) -> sparse.csr_matrix:
    """D^-1/2 (A + I) D^-1/2 of a graph's adjacency A (Kipf and Welling, 2017).

    D: the row sums of A + I.
    """
    own = adjacency + sparse.identity(adjacency.shape[0])
    root = sparse.diags(np.asarray(own.sum(1)).ravel() ** -0.5)
    return root @ own @ root
