"""An audit finds what was planted, tells it in a table and on a page, and changes nothing."""

import csv
import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.reporting.runs import small_run
from tests.reporting.test_report import Reader
from tsugiki.core.errors import RequestError
from tsugiki.evaluation.metrics import softmax
from tsugiki.inspection.audit import Audit, audit
from tsugiki.inspection.findings import find
from tsugiki.locale.messages import speaking
from tsugiki.reporting.audit_page import audit_table, save_audit, write_audit_page


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Stripes and blobs, with a broken file, a copy across splits, and a blob among the stripes."""
    folder = tmp_path_factory.mktemp("data") / "写真"
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("test", 4)):
        for kind in ("stripes", "blobs"):
            (folder / split / kind).mkdir(parents=True)
            for number in range(count):
                _drawn(rng, kind).save(folder / split / kind / f"{number}.png")
    _drawn(rng, "blobs").save(folder / "train/stripes/wrong.png")
    copied = folder / "test/blobs/copy.png"
    copied.write_bytes((folder / "train/blobs/3.png").read_bytes())
    (folder / "train/blobs/broken.jpg").write_bytes(b"\xff\xd8\xff not much")
    return folder


def _drawn(rng, kind):
    y, x = np.mgrid[:96, :96]
    phase, colour = rng.uniform(0, 9), rng.uniform(80, 255, 3)
    if kind == "stripes":
        shape = np.sin(x / rng.uniform(2, 4) + phase) > 0
    else:
        shape = (x - rng.uniform(30, 60)) ** 2 + (y - rng.uniform(30, 60)) ** 2 < rng.uniform(15, 25) ** 2
    noise = rng.normal(0, 8, (96, 96, 3))
    return Image.fromarray(np.clip(shape[..., None] * colour + noise, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def found(planted, tmp_path_factory):
    from tsugiki.features.extract import FeatureSettings
    from tsugiki.features.store import FeatureStore

    before = _content(planted)
    store = FeatureStore(tmp_path_factory.mktemp("store"))
    result = audit(planted, backbone="bundled:nae", features=FeatureSettings(store=store))
    assert _content(planted) == before
    return result


def _content(folder):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_what_was_planted_is_found(found):
    plain = json.loads(json.dumps(found.to_dict()))
    assert [one["path"] for one in plain["left_out"]] == ["train/blobs/broken.jpg"]
    assert {"path": "test/blobs/copy.png", "twin": "train/blobs/3.png"} in plain["leaks"]
    assert plain["suspects"][0]["path"] == "train/stripes/wrong.png"
    assert plain["suspects"][0]["suggested"] == "blobs"
    assert plain["photos"] == 34


def test_the_table_is_said_in_both_languages(found):
    english = audit_table(found)
    with speaking("ja"):
        japanese = audit_table(found)
    assert [mark for mark, _ in english] == [mark for mark, _ in japanese]
    assert ("look", "Files left out, each with its reason: 1.") in english
    assert not {text for _, text in english} & {text for _, text in japanese}


def test_the_folder_holds_page_numbers_and_list(found, tmp_path):
    folder = save_audit(found, tmp_path / "audit")
    assert {entry.name for entry in folder.iterdir()} == {"audit.html", "audit.json", "suspects.csv"}
    with pytest.raises(RequestError, match=r"(?s)holds an audit already.*overwrite=True"):
        save_audit(found, folder)
    assert save_audit(found, folder, overwrite=True) == folder
    page = (folder / "audit.html").read_text(encoding="utf-8")
    assert Reader(page).faults == []
    assert str(found.samples.root) not in page
    rows = csv.DictReader(io.StringIO((folder / "suspects.csv").read_text(encoding="utf-8-sig")))
    assert next(rows)["path"] == "train/stripes/wrong.png"


def test_names_that_look_like_html_are_text(tmp_path):
    run = small_run(tmp_path, ("<img src=x onerror=alert(1)>", "</script>"))
    table = run.table
    findings = find(table, table.samples.train_rows, softmax(run.out_of_fold))
    page = write_audit_page(Audit(run.samples, table, findings, 0.9, "tiny"))
    read = Reader(page)
    assert read.faults == []
    assert [tag for tag, _ in read.tags].count("script") == 1
    assert not [attributes for tag, attributes in read.tags if tag == "img" and attributes["src"] == "x"]


@pytest.mark.robust("scores", case="an audit where nothing is held out", right="says so, and gives no tick for leaks")
@pytest.mark.parametrize("split", ["train", "test"])
def test_an_audit_of_one_split_says_that_nothing_is_held_out(planted, tmp_path, split):
    from tsugiki.data.load import load
    from tsugiki.features.extract import FeatureSettings
    from tsugiki.features.store import FeatureStore

    samples = load(planted).of(split)
    found = audit(samples, backbone="bundled:nae", features=FeatureSettings(store=FeatureStore(tmp_path / "store")))
    table = audit_table(found)
    assert ("-", "Nothing is held out here, so nothing could leak.") in table
    assert not any("held-out" in sentence for _, sentence in table)
    assert Reader(write_audit_page(found)).faults == []


@pytest.mark.robust(
    "scores", case="audit with a small network", right="with what it looked, and how right that is, beside the doubts"
)
def test_an_audit_says_with_what_it_looked_beside_its_doubts(found):
    (said,) = (sentence for _, sentence in audit_table(found) if "doubtful" in sentence)
    assert "They were looked at with bundled:nae, which is right about" in said
