"""Build the documentation site, in English and Japanese.

    python -m tools.docs_site build/site

What MkDocs warns of is an error. Look at it by opening build/site/index.html, or where a browser wants a server:
python -m http.server -d build/site
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def build(folder: Path) -> None:
    """Build both languages into a folder.

    Args:
        folder: What is there of an earlier build is replaced.
    """
    # The English site first: it empties the folder that the Japanese one lies in.
    for config, target in (("mkdocs.yml", folder), ("mkdocs.ja.yml", folder / "ja")):
        command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-f", config, "-d", str(target.absolute())]
        # The theme otherwise tells at length what becomes of MkDocs.
        subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "build" / "site")
    build(parser.parse_args().folder)
