"""Checkpoints are whole or absent, the last good one is kept, and nothing in them can run."""

import json
import pickle

import pytest
import torch

from tsugiki.core.errors import RequestError
from tsugiki.fine_tuning.checkpoints import Checkpoints, forget, working_folder


def state(number: int) -> dict[str, object]:
    return {"step": number, "weights": {"w": torch.full((3,), float(number))}}


def test_the_newest_state_comes_back(tmp_path):
    kept = Checkpoints(tmp_path / "c", "request")
    assert kept.load() is None
    for number in range(4):
        kept.save(state(number))
        loaded = kept.load()
        assert loaded is not None
        assert loaded["step"] == number
        assert loaded["weights"]["w"].tolist() == [number] * 3
    assert sorted(path.name for path in kept.folder.iterdir()) == ["checkpoint.json", "state-3.pt", "state-4.pt"]


def test_a_damaged_state_falls_back_to_the_one_before(tmp_path, capsys):
    kept = Checkpoints(tmp_path, "request")
    kept.save(state(1))
    kept.save(state(2))
    newest = kept.folder / "state-2.pt"
    newest.write_bytes(newest.read_bytes()[:-20])
    loaded = kept.load()
    assert loaded is not None
    assert loaded["step"] == 1
    assert "state-2.pt is damaged" in capsys.readouterr().err
    kept.save(state(3))  # and life goes on
    assert (kept.load() or {})["step"] == 3
    (kept.folder / "checkpoint.json").write_text("{")
    assert kept.load() is None
    assert kept.found() == "damaged"


def test_where_all_states_are_damaged_none_before_is_named(tmp_path, capsys):
    kept = Checkpoints(tmp_path, "request")
    assert kept.found() == "nothing"
    for number in (1, 2):
        kept.save(state(number))
    assert kept.found() == "whole"
    for path in kept.folder.glob("*.pt"):
        path.write_bytes(b"half")
    assert kept.load() is None
    assert kept.found() == "damaged"
    assert capsys.readouterr().err == ""


@pytest.mark.robust(
    "hostile", case="two fine-tunings in one place at once", right="the second is refused, the first keeps its checkpoints"
)
def test_another_training_in_the_same_place_is_refused_and_not_disturbed(tmp_path):
    with working_folder(tmp_path / "c", 0) as work:
        (work / "photos.bin").touch()
        Checkpoints(tmp_path / "c", "request").save(state(1))
        with pytest.raises(RequestError, match="Another training is at work"), working_folder(tmp_path / "c", 0):
            pass
        forget(tmp_path / "c")
        assert (work / "photos.bin").exists()
        assert (Checkpoints(tmp_path / "c", "request").load() or {})["step"] == 1
    forget(tmp_path / "c")
    assert not (tmp_path / "c").exists()


@pytest.mark.robust(
    "hostile",
    case="the disk is full when a checkpoint is written",
    right="said, and the training goes on; the checkpoint before stays whole",
)
def test_a_full_disk_does_not_end_the_training(tmp_path, capsys, monkeypatch):
    kept = Checkpoints(tmp_path, "request")
    kept.save_if_possible(state(1))
    for error in (
        OSError(28, "No space left on device"),
        RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"),
    ):
        monkeypatch.setattr(torch, "save", lambda *_, error=error: (_ for _ in ()).throw(error))
        kept.save_if_possible(state(2))
        assert "the training goes on" in capsys.readouterr().err
    assert (kept.load() or {})["step"] == 1


def test_a_state_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return print, ("run",)

    kept = Checkpoints(tmp_path, "request")
    kept.save({"evil": Evil()})
    with pytest.raises(pickle.UnpicklingError):
        kept.load()


def test_states_of_another_request_are_kept_until_all_are_forgotten(tmp_path):
    one, other = Checkpoints(tmp_path / "c", "one"), Checkpoints(tmp_path / "c", "two")
    one.save(state(1))
    assert other.load() is None
    assert other.found() == "others"
    other.save(state(5))
    assert (other.load() or {})["step"] == 5
    assert (one.load() or {})["step"] == 1
    (tmp_path / "c" / "work-0").mkdir()  # of a killed process
    forget(tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_write_that_fails_leaves_the_last_state(tmp_path, monkeypatch):
    kept = Checkpoints(tmp_path, "request")
    kept.save(state(1))
    monkeypatch.setattr(torch, "save", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        kept.save(state(2))
    assert (kept.load() or {})["step"] == 1
    assert sorted(path.name for path in kept.folder.iterdir()) == ["checkpoint.json", "state-1.pt"]


def test_half_written_files_of_a_killed_process_are_swept_out(tmp_path):
    kept = Checkpoints(tmp_path, "request")
    kept.save(state(1))
    (kept.folder / ".state-2.pt.abc123").write_bytes(b"half")
    (kept.folder / ".checkpoint.json.xyz").write_bytes(b"{")
    (kept.folder / "somebody's notes.txt").write_text("stay")
    kept.save(state(2))
    assert sorted(path.name for path in kept.folder.iterdir()) == [
        "checkpoint.json",
        "somebody's notes.txt",
        "state-1.pt",
        "state-2.pt",
    ]
    kept.clear()
    assert [path.name for path in kept.folder.iterdir()] == ["somebody's notes.txt"]


@pytest.mark.robust(
    "hostile", case="an index of checkpoints whose entries are damaged", right="what it still names rightly counts"
)
def test_damaged_entries_of_an_index_are_no_checkpoints(tmp_path):
    checkpoints = Checkpoints(tmp_path, "a" * 64)
    checkpoints.save({"epoch": 1})
    index = json.loads((checkpoints.folder / "checkpoint.json").read_text(encoding="utf-8"))
    (whole,) = index["states"]
    odd = [None, 3, {}, {**whole, "sha256": None}, {**whole, "file": "../state-1.pt"}, {**whole, "number": "1"}]
    index["states"] = [*odd, whole]
    (checkpoints.folder / "checkpoint.json").write_text(json.dumps(index), encoding="utf-8")
    assert checkpoints.load() == {"epoch": 1}
    index["states"] = odd
    (checkpoints.folder / "checkpoint.json").write_text(json.dumps(index), encoding="utf-8")
    assert checkpoints.load() is None
    assert checkpoints.found() == "damaged"
