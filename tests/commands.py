"""Commands as a user types them, without the seconds that Python needs to start.

Loading PyTorch and its like takes five seconds of a core, and the tests start sixty commands. So a
server loads the libraries once, and a command is a fork of it: a process with its own id, session,
folder, environment, output and exit code, in which nothing of mixup_repro was loaded before. What
a fork cannot show is that a script starts at all: `plain` starts it by Python itself, once for each
script. Forks of one server also share the seed of Python's hashes.

This module imports nothing of mixup_repro, so that a command can run in a copy of the tree.
"""

from __future__ import annotations

import atexit
import gc
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from unittest import mock

CHECKOUT = Path(__file__).parents[1]
FORKS = multiprocessing.get_context("forkserver")
# pytest because a child loads what its parent's main program was; torch._dynamo is what the first
# optimiser loads.
FORKS.set_forkserver_preload(
    "pytest hydra torch torch._dynamo torchvision timm sklearn.datasets sklearn.model_selection "
    "pandas scipy.stats matplotlib.pyplot rich.live".split()
)


def environment() -> dict[str, str]:
    """This environment without a wandb key, and with every download failing at once."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    blocked = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    return kept | blocked | {"NETRC": os.devnull, "OMP_NUM_THREADS": "1"}


def fork(function: Callable[..., object], *args: object) -> BaseProcess:
    """Call a function of a module in a fork of the server; the process ends with this one."""
    with mock.patch.dict(os.environ, environment(), clear=True):  # libraries read it when loaded
        forkserver.ensure_running()
    process = FORKS.Process(target=function, args=args, daemon=True)
    process.start()
    return process


class Command:
    """A command that was started; it leads a session and a process group of its own."""

    def __init__(
        self, words: tuple[object, ...], cwd: Path, env: Mapping[str, str], first: Callable | None
    ) -> None:
        self.words = [str(word) for word in words]
        self._output = tempfile.TemporaryDirectory()
        self._paths = [Path(self._output.name) / name for name in ("stdout", "stderr")]
        self.process = fork(_become, self.words, cwd, dict(env), self._paths, first)
        assert self.process.pid
        self.pid = self.process.pid
        with suppress(ProcessLookupError):  # it has ended
            while os.getpgid(self.pid) != self.pid:  # on a busy machine it is no leader yet
                time.sleep(0.001)

    def ended(self) -> bool:
        return not self.process.is_alive()

    def kill(self, group: bool = False) -> None:
        """SIGKILL to it, or to all of its group."""
        (os.killpg if group else os.kill)(self.pid, signal.SIGKILL)

    def done(self, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Wait until it ends."""
        self.process.join(timeout)
        code = self.process.exitcode
        if code is None:
            self.kill(group=True)
            raise subprocess.TimeoutExpired(self.words, timeout)
        out, err = (path.read_text() if path.exists() else "" for path in self._paths)
        self._output.cleanup()
        return subprocess.CompletedProcess(self.words, code, out, err)


def start(
    *words: object,
    cwd: Path = CHECKOUT,
    env: Mapping[str, str] | None = None,
    first: Callable[[], object] | None = None,
) -> Command:
    """Start `python *words`, where words begin with a script's path or with -m and a module.

    first: called in the new process before all else; it is pickled.
    """
    return Command(words, cwd, environment() if env is None else env, first)


def run(*words: object, timeout: float = 300, **options) -> subprocess.CompletedProcess[str]:
    """Start a command as `start` does, and wait until it ends."""
    return start(*words, **options).done(timeout)


def plain(*words: object, cwd: Path = CHECKOUT) -> subprocess.CompletedProcess[str]:
    """Run `python *words`, started by Python itself."""
    return subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )


def _become(
    words: list[str],
    cwd: Path,
    env: dict[str, str],
    output: list[Path],
    first: Callable[[], object] | None,
) -> None:
    """Be `python *words`. How Python ends on SystemExit, multiprocessing does for its processes."""
    os.setsid()
    gc.freeze()  # what the server loaded lives on: to look at it again takes time
    multiprocessing.current_process()._config["daemon"] = False  # it may have children of its own
    for descriptor, path in enumerate(output, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    if first:
        first()
    multiprocessing.set_start_method(None, force=True)  # Python's own, not that of this server
    del sys.modules[__name__]  # a copy of the tree has one of its own
    sys.path.remove(str(Path(__file__).parent))
    module = words[1] if words[0] == "-m" else None
    sys.argv = words[1:] if module else words
    folder = cwd if module else (cwd / words[0]).resolve().parent
    sys.path[:0] = [str(folder), *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
    try:
        if module:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(words[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()
