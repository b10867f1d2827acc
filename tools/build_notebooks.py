"""Make the notebooks in ``examples/`` from the scripts beside them, and run them.

A script is written in cells: ``# %%`` starts code, ``# %% [markdown]`` starts text in comments. What stands above the first
cell is for the command line only. Outputs are kept, so a reader sees them without running anything.

    python tools/build_notebooks.py [NAME...]
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from nbclient import NotebookClient
from nbformat import v4, writes

EXAMPLES = Path(__file__).parents[1] / "examples"
LARGEST = 300_000
MARKDOWN = "[markdown]"


def cells_of(script: str) -> list[Any]:
    """The cells of a script, in order."""
    cells = []
    for part in ("\n" + script).split("\n# %%")[1:]:
        kind, _, body = part.partition("\n")
        if kind.strip() == MARKDOWN:
            lines = [line.removeprefix("#").removeprefix(" ") for line in body.strip().splitlines()]
            cells.append(v4.new_markdown_cell("\n".join(lines)))  # type: ignore[no-untyped-call]
        else:
            cells.append(v4.new_code_cell(body.strip()))  # type: ignore[no-untyped-call]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number:02}"  # random ones would change with every build
    return cells


def build(script: Path) -> Path:
    """Run one script as a notebook and write it beside the script."""
    notebook = v4.new_notebook(cells=cells_of(script.read_text(encoding="utf-8")))  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory() as work:
        os.environ["PYTHONWARNINGS"] = "ignore"  # other packages' advice about widgets, with this machine's paths in it
        os.environ["JUPYTER_PATH"] = str(_own_kernel(Path(work)))
        client = NotebookClient(notebook, kernel_name="own", timeout=1200, resources={"metadata": {"path": work}})
        client.execute()
    _clean(notebook)
    text = writes(notebook) + "\n"  # type: ignore[no-untyped-call]
    _refuse_own_paths(text, script.name)
    size = len(text.encode())
    if size > LARGEST:
        raise SystemExit(f"{script.name}: the notebook has {size:,} bytes, more than {LARGEST:,}")
    target = script.with_suffix(".ipynb")
    target.write_text(text, encoding="utf-8")
    return target


def _own_kernel(folder: Path) -> Path:
    """A kernel that is this interpreter, wherever the machine's own list of kernels points."""
    home = folder / "kernels" / "own"
    home.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (home / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "Python 3", "language": "python"}))
    return folder


def _clean(notebook: Any) -> None:
    """Take out what only says where and when the notebook was run, and join what was printed bit by bit."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)


def _joined(outputs: list[Any]) -> list[Any]:
    joined: list[Any] = []
    for output in outputs:
        if joined and output.output_type == "stream" and joined[-1].get("name") == output.name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _refuse_own_paths(text: str, name: str) -> None:
    for place in (sys.prefix, str(Path.cwd()), str(EXAMPLES.parent.resolve())):
        if place in text:
            raise SystemExit(f"{name}: a path of this machine is in the notebook: {place}")


def main() -> None:
    """Build the notebooks named on the command line, or all."""
    names = sys.argv[1:] or sorted(path.stem for path in EXAMPLES.glob("*.py"))
    for name in names:
        target = build(EXAMPLES / f"{name}.py")
        print(f"{target.name}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
