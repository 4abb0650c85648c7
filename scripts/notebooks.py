"""Execute every notebook in place; stops at the first cell that fails."""

import sys

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from mixup_repro.config import CHECKOUT


def main() -> None:
    folder = CHECKOUT / "notebooks"
    for path in sorted(folder.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        here = {"metadata": {"path": folder}}
        client = NotebookClient(
            notebook, kernel_name="python3", record_timing=False, resources=here
        )
        try:
            client.execute()
        except CellExecutionError as error:
            print(f"error: {path.name}: {error}", file=sys.stderr)
            sys.exit(1)
        nbformat.write(notebook, path)
        print(f"{path.name}: {len(notebook.cells)} cells executed")


if __name__ == "__main__":
    main()
