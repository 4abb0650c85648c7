"""Move the flat pictures of ImageNet's val folder into class folders.

    python scripts/sort_imagenet_val.py <val folder> <LOC_val_solution.csv>   (as on Kaggle)
    python scripts/sort_imagenet_val.py <val folder> <ILSVRC2012_devkit_t12>  (as from the authors)

Nothing is moved unless every picture has a class. Safe to start again.
"""

import csv
import os
import sys
from pathlib import Path

from scipy.io import loadmat

from mixup_repro.errors import InputError


def classes_of_pictures(source: Path) -> dict[str, str]:
    """File name to class (wnid), from Kaggle's table or the authors' development kit."""
    if source.is_dir():
        truth = source / "data" / "ILSVRC2012_validation_ground_truth.txt"
        synsets = loadmat(source / "data" / "meta.mat", squeeze_me=True)["synsets"]
        wnids = {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in synsets}
        numbers = [int(line) for line in truth.read_text().split()]
        name = "ILSVRC2012_val_{:08d}.JPEG"
        return {name.format(k): wnids[number] for k, number in enumerate(numbers, start=1)}
    with open(source, newline="") as file:
        rows = list(csv.DictReader(file))
    return {f"{row['ImageId']}.JPEG": row["PredictionString"].split()[0] for row in rows}


def main(val: Path, source: Path) -> None:
    try:
        wnids = classes_of_pictures(source)
    except (OSError, KeyError, ValueError, IndexError) as error:
        raise InputError(
            f"{source}: neither LOC_val_solution.csv nor the folder of the development kit "
            f"({type(error).__name__}: {error})"
        ) from error
    if not val.is_dir():
        raise InputError(f"{val}: no such folder")
    flat = sorted(path for path in val.iterdir() if path.suffix == ".JPEG")
    unknown = [path.name for path in flat if path.name not in wnids]
    if unknown:
        raise InputError(
            f"{val}: {len(unknown)} pictures are not in {source}, such as {unknown[0]}; "
            f"nothing was moved"
        )
    for path in flat:
        folder = val / wnids[path.name]
        folder.mkdir(exist_ok=True)
        os.rename(path, folder / path.name)
    print(f"{val}: moved {len(flat)} pictures into class folders")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        main(*map(Path, sys.argv[1:]))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
