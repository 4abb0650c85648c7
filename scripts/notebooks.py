"""Execute notebooks in place, all or those named; stops at the first cell that fails.

python scripts/notebooks.py
python scripts/notebooks.py how_to_read_a_run
"""

import argparse
import sys
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

from mixup_repro.paths import CHECKOUT


def main() -> None:
    folder = CHECKOUT / "notebooks"
    names = sorted(path.stem for path in folder.glob("*.ipynb"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="name", help=f"one of {', '.join(names)}")
    chosen = parser.parse_args().names or names
    for name in set(chosen) - set(names):
        parser.error(f"{name}: there is no such notebook; choose from {', '.join(names)}")
    for path in (folder / f"{name}.ipynb" for name in chosen):
        try:
            notebook = executed(path)
        except CellExecutionError as error:
            print(f"error: {path.name}: {error}", file=sys.stderr)
            sys.exit(1)
        nbformat.write(notebook, path)
        print(f"{path.name}: {len(notebook.cells)} cells executed")


def executed(path: Path) -> nbformat.NotebookNode:
    """A notebook with the outputs that it has today.

    Raises:
        CellExecutionError: a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    here = {"metadata": {"path": path.parent}}
    NotebookClient(notebook, kernel_name="python3", record_timing=False, resources=here).execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", ()):
                output.data["image/png"] = in_256_colours(output.data["image/png"])
    return notebook


def in_256_colours(png: str) -> str:
    """A figure, in base64, in a third of the bytes; the eye sees no difference."""
    small = BytesIO()
    Image.open(BytesIO(b64decode(png))).convert("RGB").quantize().save(small, "png", optimize=True)
    return b64encode(small.getvalue()).decode()


if __name__ == "__main__":
    main()
