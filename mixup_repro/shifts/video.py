"""ImageNet-Vid-Robust and YTBB-Robust (Shankar et al., 2019): accuracy pm-k of video frames.

An anchor frame and its reviewed neighbours, at most k = 10 frames away on each side, are one set.
It counts as right if every frame in it is: pm-10 accuracy is a mean over sets of the worst frame,
pm-0 accuracy that of the anchors alone. A frame is right if the best super-class, where a
super-class scores the largest logit of its ImageNet classes, is one of the frame's labels.
"""

from __future__ import annotations

import csv
import json
import os
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mixup_repro.data.picture_files import Pictures
from mixup_repro.errors import InputError
from mixup_repro.shifts.imagenet_variants import Hits, Streamed, class_table, membership

K = 10
PROBLEMS = (
    "dissimilar,problematic,incorrect,dont know,deformation,background-change,"
    "occlusion-increased,blur-increase,bad-anchor"
).split(",")

# The frames of one set, the anchor first: path below the root, and labels (super-classes).
FrameSet = list[tuple[str, list[int]]]


class Video(Streamed):
    """What both have in common: an example is a set of frames."""

    def found(self) -> Pictures:
        table = class_table(self.label)
        self.member = membership(table).to(self.device)
        try:
            sets = self.frame_sets()
        except InputError:
            raise
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise InputError(
                f"{self.root / 'metadata'}: not the files of {self.label}, or damaged ({error!r})"
            ) from error
        frames = [frame for frames in sets for frame in frames]
        for path, _ in frames:
            if not (self.root / path).is_file():
                raise InputError(
                    f"{self.root / path}: no such frame; the download or its unpacking is not "
                    f"complete"
                )
        self.labels = torch.zeros(len(frames), len(table), dtype=torch.bool, device=self.device)
        for number, (_, labels) in enumerate(frames):
            self.labels[number, labels] = True
        self.set_of = np.repeat(np.arange(len(sets)), [len(s) for s in sets])
        paths = np.array([os.fsencode(path) for path, _ in frames])
        resize = self.dataset.config.resize
        return Pictures(self.root, paths, np.arange(len(frames)), resize=resize)

    def count(self) -> int:
        return int(self.set_of[-1]) + 1

    def frame_sets(self) -> list[FrameSet]:
        """The sets of frames that metadata/ tells of."""
        raise NotImplementedError

    def metadata(self, name: str) -> str:
        """The text of <root>/metadata/<name>."""
        try:
            return (self.root / "metadata" / name).read_text()
        except OSError as error:
            raise InputError(
                f"{self.root / 'metadata' / name} cannot be read ({error.strerror}); "
                f"configs/benchmark/{self.label.replace('-', '_')}.yaml says where it comes from"
            ) from error

    def score(self, logits: Tensor, y: Tensor) -> Hits:
        """Super-classes without any ImageNet class score -inf, so that they never win."""
        never = torch.full_like(logits[..., 0], -torch.inf)
        scores = [logits[..., m].amax(-1) if m.any() else never for m in self.member]
        return Hits(self.labels[y, torch.stack(scores, dim=-1).argmax(-1)])

    def rows(self, total: Hits) -> list[dict[str, Any]]:
        anchors = np.flatnonzero(np.diff(self.set_of, prepend=-1))
        rows = []
        for right in total.right.cpu().numpy():
            worst = np.minimum.reduceat(right, anchors)
            rows.append(
                {
                    "accuracy": float(worst.mean()),
                    "accuracy_pm0": float(right[anchors].mean()),
                    "n_test": len(anchors),
                }
            )
        return rows


class VidRobust(Video):
    """<root>/val/<video>/<frame>.JPEG; each frame has labels of its own."""

    def frame_sets(self) -> list[FrameSet]:
        labels = json.loads(self.metadata("labels.json"))
        sets = json.loads(self.metadata("pmsets.json"))
        return [
            [(path, labels[path]) for path in (anchor, *neighbours)]
            for anchor, neighbours in sorted(sets.items())
        ]


class YtbbRobust(Video):
    """<root>/ytbb_videos/<video>_<ms>/frame-<n>.jpg; a set's frames have its anchor's labels."""

    def frame_sets(self) -> list[FrameSet]:
        names = list(class_table(self.label))
        anchors, words = _annotations(self.metadata("anchor_labels.json"))
        pairs, pair_words = _annotations(self.metadata("pmk_labels.json"))
        known = self._first_labels(names)
        valid, bad_anchors = set(), set()
        for key, labels in pairs.items():
            said = {pair_words[k] for k in labels}
            anchor, frame = (_key(path) for path in key.split(","))
            if "similar" in said and not said & set(PROBLEMS):
                valid.add((anchor, frame))
            if "bad-anchor" in said:
                bad_anchors.add(anchor)
        sets = {}
        for path, labels in anchors.items():
            anchor, said = _key(path), {words[k] for k in labels}
            if "good" not in said or said & {"bad", "unsure"} or anchor in bad_anchors:
                continue
            video, number = anchor.split("/")[0], int(PurePath(anchor).stem.split("-")[1])
            own = sorted({known[video]} | {names.index(word) for word in said & set(names)})
            near = (f"{video}/frame-{number + i}.jpg" for i in range(-K, K + 1) if i)
            frames = [anchor, *(frame for frame in near if (anchor, frame) in valid)]
            sets[anchor] = [(f"ytbb_videos/{frame}", own) for frame in frames]
        return [sets[anchor] for anchor in sorted(sets)]

    def _first_labels(self, names: list[str]) -> dict[str, int]:
        """The label of each <video>_<ms>. The table has car and none the other way around."""
        none, car = names.index("none"), names.index("car")
        swapped = {none: car, car: none}
        text = self.metadata("ytbb_robustness_test_anchors_full.csv")
        rows = csv.DictReader(text.splitlines())
        labels = {f"{row['ytid']}_{row['time_ms']}": int(row["label"]) for row in rows}
        return {video: swapped.get(label, label) for video, label in labels.items()}


def _annotations(text: str) -> tuple[dict[str, list[int]], list[str]]:
    """The labels of each key, as indices into a list of words; a key's last annotation counts."""
    content = json.loads(text)
    return {row["key"]: row["labels"] for row in content["annotations"]}, content["labels"]


def _key(path: str) -> str:
    """<video>_<ms>/frame-<n>.jpg, without the folders of those who annotated it."""
    return "/".join(PurePath(path).parts[-2:])
