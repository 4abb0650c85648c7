"""How many wrong labels of its training examples a network has memorised."""

from __future__ import annotations

import torch
from torch import Tensor

from mixup_repro.data import Dataset
from mixup_repro.errors import InputError
from mixup_repro.probes.subject import Answers, Subject

EXAMPLES = 10_000


def clean_labels(data: Dataset) -> Tensor:
    """(n,) or (R, n) the training classes before some were made wrong.

    Raises:
        InputError: the data set does not say which labels are wrong.
    """
    if data.y_clean is None:
        raise InputError(
            f"needs wrong labels, and no label of {data.label} is known to be wrong; "
            f"dataset.flipped makes a share of them so"
        )
    return data.y_clean


@torch.no_grad()
def memorised(subject: Subject) -> Answers:
    """What is predicted on training examples whose labels are wrong, and on those that are right.

    as_labelled, as_true: the share of predictions that are the label, and the true class.
    examples: the share of all examples that are in the setting, wrong or right. Without
    augmentation. Where no label is wrong, that setting has no rows.

    Raises:
        InputError: the data set does not say which labels are wrong.
    """
    data = subject.dataset
    clean = clean_labels(data)
    index = subject.drawn(lambda rng: rng.permutation(data.n_train)[:EXAMPLES])
    raw, labels = subject.at("train", index)
    true = clean.expand(len(index), -1).gather(1, index)
    predicted = subject.logits(subject.inputs(raw)).argmax(-1)
    found: Answers = {}
    for setting, chosen in (("wrong", labels != true), ("right", labels == true)):
        count = chosen.double().sum(1)
        found[setting, "examples"] = count / labels.shape[1]
        for name, classes in (("as_labelled", labels), ("as_true", true)):
            found[setting, name] = ((predicted == classes) & chosen).sum(1) / count
    return found
