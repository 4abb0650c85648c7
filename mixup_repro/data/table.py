"""Tables in CSV: a row an example, a column a feature, and one of them the label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pandas.api.types import is_numeric_dtype

from mixup_repro.data.dataset import Dataset
from mixup_repro.data.given import as_dataset, numbered
from mixup_repro.errors import InputError
from mixup_repro.schema import DatasetConfig

TEST_SHARE = 0.2  # of a table that is not split yet


def csv(config: DatasetConfig) -> Dataset:
    """Load `config.root`: a folder with train.csv and test.csv, or one file.

    Of one file a fixed fifth of each class is for testing. `config.column` is the label's, else the
    last; all others are numbers, standardised by the training rows.

    Raises:
        InputError: no such files, columns that are missing or hold no numbers, empty cells, or
            classes too small to be split.
    """
    root = Path(config.root or "")
    train, test = _rows(root, config)
    column = config.column or str(train.columns[-1])
    for table in (train, test):
        if column not in table:
            some = ", ".join(map(str, table.columns[:8]))
            raise InputError(f"dataset.column={column}: {root} has no such column, but {some}")
    if sorted(train.columns) != sorted(test.columns):
        odd = sorted(set(train.columns) ^ set(test.columns))
        raise InputError(f"{root}: column {odd[0]} is in only one of train.csv and test.csv")
    features = [name for name in train.columns if name != column]
    if not features:
        raise InputError(f"{root}: {column} is its only column; there is nothing to learn from")
    for table in (train, test):
        _check(table, features, root)
    labels = (_labels(table[column]) for table in (train, test))
    y = numbered(labels, str(root))
    x = [table[features].to_numpy(np.float64) for table in (train, test)]
    mean, std = x[0].mean(0), x[0].std(0)
    scaled = [(part - mean) / np.where(std > 0, std, 1) for part in x]
    return as_dataset(config, root.stem, (torch.from_numpy(part).float() for part in scaled), y)


def _rows(root: Path, config: DatasetConfig) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and test rows."""
    if root.is_dir():
        return _read(root / "train.csv"), _read(root / "test.csv")
    table = _read(root)
    from sklearn.model_selection import train_test_split  # a second to import

    column = config.column or str(table.columns[-1])
    by = table.get(column)  # None is refused later, by its name
    try:
        train, test = train_test_split(table, test_size=TEST_SHARE, random_state=0, stratify=by)
    except ValueError as error:
        raise InputError(f"{root}: cannot be split by its column {column} ({error})") from error
    return train, test


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(
            f"no file {path}: dataset.root must name a CSV file, or a folder with train.csv and "
            f"test.csv"
        )
    try:
        table = pd.read_csv(path)
    except (ValueError, OSError) as error:  # pandas' own errors are ValueErrors
        raise InputError(f"{path}: cannot be read as CSV ({error})") from error
    for name in table:
        if (empty := table[name].isna()).any():
            raise InputError(
                f"{path}: column {name} has an empty cell, in line {empty.argmax() + 2}; pandas "
                f"also takes the words NA, None and nan for one"
            )
    return table


def _check(table: pd.DataFrame, features: list[str], root: Path) -> None:
    """Raise InputError where a feature is no finite number."""
    for name in features:
        numbers = pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64)
        if np.isnan(numbers).any():
            word = table[name][np.isnan(numbers)].iloc[0]
            raise InputError(f"{root}: column {name} holds {word!r}; features must be numbers")
        if not np.isfinite(numbers).all():
            raise InputError(f"{root}: column {name} holds an infinite number")


def _labels(values: pd.Series) -> np.ndarray:
    return values.to_numpy() if is_numeric_dtype(values) else values.astype(str).to_numpy("U")
