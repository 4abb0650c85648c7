"""Digits as a graph: against networkx, against loops over nodes, and what is drawn per seed."""

from __future__ import annotations

import networkx
import numpy as np
import pytest
import torch
from helpers import job
from scipy import sparse

from mixup_repro.data import load
from mixup_repro.data.images import digits
from mixup_repro.data.neighbours import NEAREST, averaging, digits_graph, embedded
from mixup_repro.errors import InputError
from mixup_repro.schema import DatasetConfig


def test_averaging_is_one_less_networkxs_laplacian_of_the_graph_with_loops():
    graph = networkx.karate_club_graph()
    adjacency = sparse.csr_matrix(networkx.to_numpy_array(graph, weight=None))
    graph.add_edges_from((node, node) for node in graph)
    laplacian = networkx.normalized_laplacian_matrix(graph, weight=None).toarray()
    expected = np.eye(len(laplacian)) - laplacian
    np.testing.assert_allclose(averaging(adjacency).toarray(), expected, atol=1e-12)


def test_neighbourhoods_are_embedded_as_a_loop_over_nodes_does_it():
    rng = np.random.default_rng(0)
    x, n = rng.normal(size=(40, 3)), 40
    near = np.argsort(((x[:, None] - x) ** 2).sum(-1), axis=1)[:, 1 : NEAREST + 1]
    joined = np.eye(n, dtype=bool)  # each to itself
    for i in range(n):
        joined[i, near[i]] = joined[near[i], i] = True
    degree, expected = joined.sum(1), x
    for _ in range(2):
        rows = [
            sum(expected[j] / np.sqrt(degree[i] * degree[j]) for j in np.flatnonzero(joined[i]))
            for i in range(n)
        ]
        expected = np.array(rows)
    np.testing.assert_allclose(embedded(x, 2), expected, atol=1e-12)


def test_a_seed_draws_as_many_labels_of_each_class_and_tests_on_digits_test_half():
    dataset, scans = load(job("dataset=digits_graph").dataset), digits(DatasetConfig("digits"))
    one, other = dataset.draw(1), dataset.draw(2)
    for drawn in (dataset, one, other):
        assert drawn.y_train.bincount().tolist() == 10 * [3]
        assert torch.equal(drawn.y_test, scans.y_test)
        assert torch.equal(drawn.x_test, dataset.x_test)
    assert not torch.equal(one.x_train, other.x_train)
    assert torch.equal(one.x_train, dataset.draw(1).x_train)


def test_without_hops_features_are_the_pixels_of_their_labels():
    dataset, scans = (
        load(job("dataset=digits_graph", "dataset.hops=0").dataset),
        digits(DatasetConfig("digits")),
    )
    pixels = torch.cat([scans.x_train, scans.x_test]).double()
    x = (scans.x_test.flatten(1) - pixels.mean()) / pixels.std(unbiased=False)
    torch.testing.assert_close(dataset.x_test, x.float())
    known = {tuple(row.tolist()): int(k) for row, k in zip(scans.x_train.flatten(1), scans.y_train)}
    own = dataset.x_train * pixels.std(unbiased=False) + pixels.mean()
    assert [known[tuple(row.round().int().tolist())] for row in own] == dataset.y_train.tolist()


@pytest.mark.parametrize("points, hops", [(25, 2), (0, 2), (2000, 2), (30, -1), (30, None)])
def test_a_graph_that_cannot_be_drawn_is_refused(points, hops):
    with pytest.raises(InputError, match="digits_graph needs a multiple of 10 up to 870 points"):
        digits_graph(DatasetConfig("digits_graph", points=points, hops=hops))
