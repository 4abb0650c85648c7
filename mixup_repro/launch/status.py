"""What has become of the runs of some jobs: facts of the file system, for a person to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from mixup_repro.jobs import expand
from mixup_repro.schema import Config
from mixup_repro.store.folder import RunFolder, State, bytes_in

HEADER = ["run", *State, "at epoch"]


class Status:
    """The runs of some jobs, by id; a run that several jobs share counts once."""

    def __init__(self, jobs: Iterable[Config]) -> None:
        self.ids: dict[str, dict[int, RunFolder]] = {}
        for job in jobs:
            for folder in map(RunFolder, expand(job)):
                self.ids.setdefault(folder.id, {})[folder.run.seed] = folder
        self.look()

    def look(self) -> None:
        """Read the states again."""
        self.states = {
            name: {seed: folder.state() for seed, folder in seeds.items()}
            for name, seeds in self.ids.items()
        }

    def count(self) -> Counter[State]:
        """How many runs are in each state."""
        return Counter(s for states in self.states.values() for s in states.values())

    def ended(self) -> bool:
        """Whether every run is done or failed."""
        return not set(self.count()) - {State.DONE, State.FAILED}

    def line(self) -> str:
        """Such as: 12 done, 2 running, 5 missing."""
        count = self.count()
        return ", ".join(f"{count[s]} {s}" for s in State if count[s])

    def rows(self) -> list[list[str]]:
        """The columns of HEADER, a row for each id."""
        rows = []
        for name, states in self.states.items():
            count = Counter(states.values())
            folders = self.ids[name]
            reached = sorted(
                e for s in states if states[s] != State.DONE and (e := folders[s].epoch())
            )
            epochs = next(iter(folders.values())).run.config.recipe.epochs
            span = "-".join(str(e) for e in sorted({*reached[:1], *reached[-1:]}))
            numbers = [str(count[s]) for s in State]
            rows.append([name, *numbers, f"{span}/{epochs}" if span else ""])
        return rows

    def bytes(self) -> int:
        """Disk that the runs take."""
        return sum(bytes_in(f.path) for seeds in self.ids.values() for f in seeds.values())

    def reasons(self) -> list[str]:
        """Why runs failed, a line for each id and reason."""
        seeds: dict[tuple[str, str], list[int]] = {}
        for name, states in self.states.items():
            for seed, state in states.items():
                if state == State.FAILED:
                    seeds.setdefault((name, self.ids[name][seed].reason()), []).append(seed)
        return [
            f"failed: {name}, {len(some)} run{'s' * (len(some) > 1)} "
            f"(seed {', '.join(map(str, some))}): {reason}"
            for (name, reason), some in seeds.items()
        ]
