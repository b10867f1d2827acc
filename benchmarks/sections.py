"""``RESULTS.md``: sections written by the benchmarks, put together with the machine and the versions they ran on."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
_LIBRARIES = (
    "torch",
    "torchvision",
    "timm",
    "openvino",
    "numpy",
    "pillow",
    "fastai",
    "transformers",
    "accelerate",
    "scikit-learn",
)


def write_section(name: str, title: str, body: str) -> None:
    """Write one section (``results/NAME.md``) and put ``RESULTS.md`` together again."""
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    text = f"## {title}\n\n{body.strip()}\n\n<sub>{machine()}</sub>\n"
    (folder / f"{name}.md").write_text(text, encoding="utf-8")
    assemble()
    print(text)


def assemble() -> None:
    """Put ``RESULTS.md`` together from its sections."""
    head = (
        "# Results\n\nWritten by the commands in this folder; every section names its command. Ratios are taken side by side "
        "in one run: they hold better than times, which depend on the machine.\n\n"
        "- hymenoptera: 398 photos of ants and bees, `tsugiki data get hymenoptera`.\n"
        "- food3: 300 photos of three dishes, 75 to train on and 25 held out of each; not distributed, any photos will do.\n"
        "- waste, flowers: 911 photos of six kinds of waste, 1,500 of five flowers; not distributed, any photos will do.\n"
        "- food3x10: food3 varied ten times, `python -m benchmarks.make_many food3 food3x10 --times 10`.\n"
        "- Weights: ImageNet weights of MobileNets converted for these tests, not those that torchvision or timm download.\n\n"
    )
    sections = [path.read_text(encoding="utf-8") for path in sorted((HERE / "results").glob("*.md"))]
    RESULTS.write_text(head + "\n".join(sections), encoding="utf-8")


def machine() -> str:
    """Processor, cores and versions, one line."""
    versions = []
    for name in _LIBRARIES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return f"{processor()}; Python {platform.python_version()}; {', '.join(versions)}"


def processor() -> str:
    """The processor's name and how many cores this process may use."""
    from tsugiki.core.devices import usable_cores

    name = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = [line for line in information.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        name = lines[0].partition(":")[2].strip() if lines else name
    return f"{name}, {usable_cores()} cores"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; every column but the first is right-aligned."""
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
