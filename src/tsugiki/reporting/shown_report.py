"""The report of a run as a value: a notebook shows it, and it can be written or opened in a browser."""

from __future__ import annotations

import html
import tempfile
import webbrowser
from dataclasses import dataclass
from pathlib import Path

from tsugiki.core.display.cell_html import cell_html
from tsugiki.core.errors import ArtefactError
from tsugiki.core.files import write_atomically
from tsugiki.evaluation.headline import headline
from tsugiki.evaluation.multi_label.set_headline import is_multi
from tsugiki.locale.messages import tr
from tsugiki.reporting.report import write_report
from tsugiki.reporting.run_folder import REPORT
from tsugiki.training.run import LoadedRun, Run

_HEIGHT = 720  # pixels of a notebook's cell


@dataclass(frozen=True, repr=False)
class Report:
    """One page about one run.

    Attributes:
        html: The whole page.
    """

    html: str

    def save(self, path: str | Path = REPORT) -> Path:
        """Write the page into a file, whole or not at all; returns the file."""
        write_atomically(Path(path), self.html)
        return Path(path)

    def open(self) -> Path:
        """Show the page in the browser, from a file that is kept among the temporary ones; returns the file."""
        path = self.save(Path(tempfile.mkdtemp(prefix="tsugiki-")) / REPORT)
        open_in_browser(path)
        return path

    def __repr__(self) -> str:
        return f"<Report: {len(self.html) / 1e3:.0f} kB of HTML; .save(path) writes it, .open() shows it>"

    def _repr_html_(self) -> str:
        """The page in a frame of its own, so that its styles stay in it."""
        return f'<iframe srcdoc="{html.escape(self.html)}" style="width:100%;height:{_HEIGHT}px;border:0"></iframe>'


def report_of(run: Run) -> Report:
    """The page about a run; of a loaded one, as it was saved.

    Raises:
        ArtefactError: When the folder of a loaded run holds no report.
        RequestError: When the run's classifier has been trained again since.
    """
    if not isinstance(run, LoadedRun):
        run.require_own_classifier()
        return Report(write_report(run, name="run"))
    try:
        return Report((run.folder / REPORT).read_text(encoding="utf-8"))
    except OSError as error:
        raise ArtefactError(tr("{folder} holds no {name}.", folder=run.folder, name=REPORT), got=str(error)) from error


def run_cell(run: Run) -> str:
    """HTML for a notebook: the score, and the classes one by one."""
    columns = {"recall": tr("recognised"), "precision": tr("right when named")}
    if is_multi(run.evaluation):
        columns = {"average_precision": tr("average precision"), **columns}
    rows: list[tuple[object, ...]] = [(tr("class"), tr("photos"), *columns.values())]
    for each in run.evaluation["per_class"]:
        shares = ("-" if each[name] is None else f"{each[name]:.1%}" for name in columns)
        rows.append((each["class"], each["n"], *shares))
    return cell_html(headline(run.evaluation), rows)


def open_in_browser(page: Path) -> bool:
    """Show a page in the person's browser; returns whether there is one that could be asked."""
    try:
        return webbrowser.open(page.absolute().as_uri())
    except webbrowser.Error:
        return False
