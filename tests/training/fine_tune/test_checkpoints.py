"""Checkpoints are whole or absent, the last good one is kept, and nothing in them can run."""

import pickle

import pytest
import torch

from tsugiki.training.fine_tune.checkpoints import Checkpoints


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
    newest = tmp_path / "state-2.pt"
    newest.write_bytes(newest.read_bytes()[:-20])
    loaded = kept.load()
    assert loaded is not None
    assert loaded["step"] == 1
    assert "state-2.pt is damaged" in capsys.readouterr().err
    kept.save(state(3))  # and life goes on
    assert (kept.load() or {})["step"] == 3
    (tmp_path / "checkpoint.json").write_text("{")
    assert kept.load() is None


def test_a_state_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return print, ("run",)

    kept = Checkpoints(tmp_path, "request")
    kept.save({"evil": Evil()})
    with pytest.raises(pickle.UnpicklingError):
        kept.load()


def test_states_of_another_request_are_left_alone_until_replaced(tmp_path):
    Checkpoints(tmp_path, "one").save(state(1))
    other = Checkpoints(tmp_path, "two")
    assert other.load() is None
    assert other.is_of_another_request()
    other.save(state(5))
    assert (other.load() or {})["step"] == 5
    assert not other.is_of_another_request()


def test_a_write_that_fails_leaves_the_last_state(tmp_path, monkeypatch):
    kept = Checkpoints(tmp_path, "request")
    kept.save(state(1))
    monkeypatch.setattr(torch, "save", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        kept.save(state(2))
    assert (kept.load() or {})["step"] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.json", "state-1.pt"]


def test_half_written_files_of_a_killed_process_are_swept_out(tmp_path):
    kept = Checkpoints(tmp_path, "request")
    kept.save(state(1))
    (tmp_path / ".state-2.pt.abc123").write_bytes(b"half")
    (tmp_path / ".checkpoint.json.xyz").write_bytes(b"{")
    (tmp_path / "somebody's notes.txt").write_text("stay")
    kept.save(state(2))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint.json",
        "somebody's notes.txt",
        "state-1.pt",
        "state-2.pt",
    ]
    kept.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["somebody's notes.txt"]
