"""Make a finished run of a file of weights that somebody else trained. Trains nothing.

    mixup-repro import-weights resnet20-12fca82f.th \\
        --source akamaster/pytorch_resnet_cifar10@d5489e8995 \\
        --recipe "ERM; SGD 0.1 / 0.9 / 1e-4, batch 128, 200 epochs, crop and flip" \\
        dataset=cifar10 architecture=resnet20 'evaluation.alphas=[0.5,1]' \\
        'dataset.mean=[0.485,0.456,0.406]' 'dataset.std=[0.229,0.224,0.225]'

The words after the options are those of train: the data set (with the mean and standard deviation
that the network was trained with), the architecture, the evaluation. The last line that is printed
is the command that evaluates this run again; add to it what else is to be evaluated.
Exit codes: 0 fine; 2 bad input, and no run was made.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from mixup_repro.cli.words import Parser, source_of, whole_path
from mixup_repro.errors import InputError
from mixup_repro.jobs import Source, compose
from mixup_repro.launch.imported import Origin, import_run, read_weights


def main(words: Sequence[str]) -> int:
    parser = Parser("import-weights", __doc__)
    parser.add_argument(
        "file", type=whole_path, help="written by torch.save; read with weights_only"
    )
    parser.add_argument("--source", required=True, help="where it comes from, with the version")
    parser.add_argument("--recipe", required=True, help="how it was trained, in words")
    parser.add_argument("overrides", nargs="*", help="as for train")
    parser.add_source()
    args = parser.parse_intermixed_args(words)
    sha256, weights = read_weights(args.file)
    overrides = [*args.overrides, "method=imported", f"method.sha256={sha256}"]
    source = source_of(args)
    jobs = list(compose(overrides, source))
    if len(jobs) > 1:
        raise InputError(f"these words are {len(jobs)} jobs; a file of weights is one run")
    origin = Origin(args.file.name, sha256, args.source, args.recipe)
    folder, record = import_run(jobs[0], weights, origin)
    for row in record["evaluations"]:
        name = row["evaluation"]
        name += "" if row["eval_alpha"] is None else f" at {row['eval_alpha']:g}"
        print(
            f"{folder}, {name}: accuracy {row['accuracy']:.4f}, cross-entropy "
            f"{row['cross_entropy']:.4f}, ECE {row['ece']:.4f}"
        )
    places = [] if source == Source() else source.options()
    print(f"mixup-repro evaluate {shlex.join([*places, *overrides])}")
    return 0
