"""What runs would still cost: by what runs of their kind cost before, here or as committed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd
import torch

from mixup_repro import networks
from mixup_repro.data import LOADERS, DataSource, Sizes
from mixup_repro.launch.slots import slots, visible_gpus
from mixup_repro.launch.status import Status
from mixup_repro.paths import home
from mixup_repro.schema import Config, HardwareConfig, Run
from mixup_repro.store import costs
from mixup_repro.store.folder import RunFolder, State
from mixup_repro.training.run import snapshot_epochs


@dataclass(frozen=True)
class Left:
    """The runs of one id that are neither done nor being trained."""

    folders: list[RunFolder]

    @property
    def config(self) -> Config:
        """Their config, which the seed is no part of."""
        return self.folders[0].run.config

    @property
    def runs(self) -> list[Run]:
        return [folder.run for folder in self.folders]

    def what(self) -> str:
        """Data set, network and method, as a person names them."""
        kind = costs.kind(asdict(self.config))
        return " ".join(kind[name] for name in ("dataset", "network", "method"))

    def epochs(self) -> int:
        """Epochs still to be trained."""
        return sum(folder.epochs_left() for folder in self.folders)


def left(status: Status) -> list[Left]:
    """The runs that wait, by id."""
    found = [
        Left([folder for seed, folder in seeds.items() if status.states[name][seed].waits])
        for name, seeds in status.ids.items()
    ]
    return [some for some in found if some.folders]


@dataclass
class Bill:
    """What runs would cost on one kind of device, and which finished runs say so.

    ids, runs: which of them are priced, and how many; seconds: of one process, at the mean pace of
    the finished runs, and at that of the fastest and the slowest; rests: how many finished runs
    there are of each kind, by the values of `costs.kind`.
    """

    device: str
    ids: set[str] = field(default_factory=set)
    runs: int = 0
    seconds: float = 0.0
    fastest: float = 0.0
    slowest: float = 0.0
    rests: dict[tuple[object, ...], int] = field(default_factory=dict)

    @property
    def on_cpu(self) -> bool:
        """Whether it is a CPU, else a GPU."""
        return is_cpu(self.device)

    def amount(self, hardware: HardwareConfig) -> str:
        """Such as: about 2.6 hours of one process on <device>, 1.3 hours in 2 slots.

        On GPUs, hours of each GPU that took part: a device may be `4 x <name>`.
        """
        times = self.device.split(" x ")
        of_gpus = self.seconds * int(times[0]) if len(times) > 1 else self.seconds
        one = f"{span(self.seconds)} of one process" if self.on_cpu else span(of_gpus, "GPU-")
        n = side_by_side(hardware, self.on_cpu)
        in_slots = f", {span(self.seconds / n)} in {n} slots" if n else ""
        return f"about {one} on {self.device}{in_slots}"

    def line(self, all_runs: int, hardware: HardwareConfig) -> str:
        """The same with its range, and the finished runs that it was measured on."""
        said = self.amount(hardware)
        said += f", for {self.runs} of them" if self.runs < all_runs else ""
        low, high = span(self.fastest), span(self.slowest)
        if low != high:
            said += f" ({low} by the fastest runs, {high} by the slowest)"
        rested: Counter[str] = Counter()
        for (data, _, network, *_), runs in self.rests.items():
            rested[f"{network} on {data}"] += runs
        rests = (f"{n} run{'s' * (n > 1)} of {what}" for what, n in rested.items())
        return f"{said}; measured: {', '.join(rests)}"


def span(seconds: float, unit: str = "") -> str:
    """Such as: 2.6 hours; 24 minutes; 3.1 GPU-seconds."""
    sizes = {"hours": 3600, "minutes": 60, "seconds": 1}
    name = next((name for name, size in sizes.items() if seconds >= size), "seconds")
    amount = seconds / sizes[name]
    return f"{amount:.{0 if amount >= 100 else 1}f} {unit}{name}"


def is_cpu(device: str) -> bool:
    """Whether a record's device is a CPU."""
    return device.split(" x ")[-1].startswith("cpu")


def priced(missing: list[Left], status: Status) -> list[str]:
    """What the missing runs would cost: a line for each kind of device, and one for those unknown.

    Raises:
        InputError: the table of costs is malformed.
    """
    if not missing:
        return []
    finished = [
        folder
        for name, seeds in status.ids.items()
        for seed, folder in seeds.items()
        if status.states[name][seed] == State.DONE
    ]
    found, hardware = bills(missing, finished, home() / "results"), missing[0].config.hardware
    asked = hardware.device.split(":")[0]
    on_cpu = not torch.cuda.is_available() if asked == "auto" else asked == "cpu"
    found.sort(key=lambda bill: bill.on_cpu != on_cpu)  # what this machine has comes first
    runs = sum(len(some.folders) for some in missing)
    lines = [f"{'or ' * (k > 0)}{bill.line(runs, hardware)}" for k, bill in enumerate(found)]
    known = {name for bill in found if bill.on_cpu == on_cpu for name in bill.ids}
    unknown = {some.what(): None for some in missing if some.folders[0].id not in known}
    if unknown:
        lines.append(
            f"not measured on a {'CPU' if on_cpu else 'GPU'}: {', '.join(unknown)}; plan --probe "
            f"times a few steps on the machine that is to train them"
        )
    return lines


def bills(missing: list[Left], finished: Iterable[RunFolder], results: Path) -> list[Bill]:
    """What the missing runs would cost on each kind of device that any was measured on.

    finished: runs at hand, which count before those that `results` tells of. Devices that more of
    the runs were measured on come first.

    Raises:
        InputError: the table of costs is malformed.
    """
    tables = [costs.of_records(f.read_record() for f in finished), costs.load(results)]
    found: dict[str, Bill] = {}
    for some in missing:
        asked, epochs = some.config.hardware, some.epochs()
        for change in twins(some.config.dataset.name):
            of = costs.kind(asdict(some.config)) | change
            rows = [_alike(table, of) for table in tables]
            if any(map(len, rows)):
                break
        for device in {d: None for table in rows for d in table["device"]}:
            if asked.device.split(":")[0] not in ("auto", "cpu" if is_cpu(device) else "cuda"):
                continue
            here = next(t for t in (r[r["device"] == device] for r in rows) if len(t))
            measured = _precise(here, asked.precision)
            if not len(measured):
                continue
            bill, weight = found.setdefault(device, Bill(device)), measured["runs"]
            bill.ids.add(some.folders[0].id)
            bill.runs += len(some.folders)
            bill.seconds += epochs * float((measured["epoch_s"] * weight).sum() / weight.sum())
            bill.fastest += epochs * float(measured["fastest_s"].min())
            bill.slowest += epochs * float(measured["slowest_s"].max())
            bill.rests[tuple(of.values())] = int(weight.sum())
    return sorted(found.values(), key=lambda bill: (-bill.runs, bill.device))


def twins(name: str) -> list[dict[str, str]]:
    """What to change in `costs.kind`: nothing, or the data set, to another as large as it.

    Pictures of as many pixels, and as many of them, cost the same.
    """
    own = LOADERS[name].sizes
    alike = (
        other
        for other, loader in LOADERS.items()
        if own and loader.sizes and other != name
        if (own.n_train, own.input_shape) == (loader.sizes.n_train, loader.sizes.input_shape)
    )
    return [{}, *({"dataset": other} for other in alike)]


def _alike(table: pd.DataFrame, of: dict[str, object]) -> pd.DataFrame:
    """The rows of runs of a kind."""
    for name, value in of.items():
        table = table[table[name].isna() if value is None else table[name] == value]
    return table


def _precise(rows: pd.DataFrame, asked: str) -> pd.DataFrame:
    """The rows of the precision asked for; auto stands for the one that most runs have."""
    if asked == "auto" and len(rows):
        asked = rows.groupby("precision")["runs"].sum().idxmax()
    return rows[rows["precision"] == asked]


def side_by_side(hardware: HardwareConfig, on_cpu: bool) -> int:
    """How many processes `hardware.slots` runs at once; 0 where it does not say."""
    if hardware.slots is None:
        return 0
    if on_cpu:
        return len(slots(hardware, torch.device("cpu")))
    # A list may be of another machine, which has these GPUs.
    gpus = hardware.slots if isinstance(hardware.slots, list) else visible_gpus()
    return len(gpus) * hardware.runs_per_gpu


def bytes_needed(some: Left, data: DataSource | Sizes) -> int:
    """Disk that the finished runs will take: weights and test logits."""
    with torch.device("meta"):
        network = networks.build(some.config.architecture, data.input_shape, data.classes, [0])
    kept = 1 + len(snapshot_epochs(network, some.config.recipe.epochs))
    logits = data.n_test * data.classes * 4
    return len(some.folders) * (kept * networks.bytes_of(network) + logits)
