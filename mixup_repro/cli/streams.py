"""Work goes on where nobody reads its output any more, as in `mixup-repro train ... | head -1`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO


class _Outliving:
    """A text stream that, once its reader is gone (`| head -1`), writes to nowhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._go_on_in_silence()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._go_on_in_silence()

    def _go_on_in_silence(self) -> None:
        """Point the file descriptor at /dev/null: what is buffered, and comes later, goes there."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


@contextmanager
def outliving_readers() -> Iterator[None]:
    """Inside, writing to stdout and stderr does not fail once their reader has gone away."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (_Outliving(stream) for stream in before)
    try:
        yield
        sys.stdout.flush()
    finally:
        sys.stdout, sys.stderr = before
