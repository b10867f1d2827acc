"""The program as a person meets it: results and talk on two streams, one sentence for a bad request, an exit status."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import SafetensorError

import tsugiki
from tsugiki.cli import main
from tsugiki.cli.options import default_target
from tsugiki.core.errors import RequestError

VERBS = [*main.VERBS, "data"]


@pytest.fixture
def run_folder(saved_run):
    return saved_run


@pytest.mark.parametrize("language", ["en", "ja"])
def test_help_is_in_the_language_that_was_asked_for(run_cli, language):
    done = run_cli("--lang", language, "--help")
    assert done.returncode == 0
    assert done.stderr == ""
    for verb in VERBS:
        assert f" {verb} " in done.stdout
    sentence = {"en": "Train a classifier on a folder of labelled photos", "ja": "写真"}[language]
    assert sentence in done.stdout


def test_version_and_no_words_at_all(tsu):
    assert tsu("--version") == (0, f"tsugiki {tsugiki.__version__}\n", "")
    status, out, err = tsu()
    assert status == 2
    assert "fit" in out + err


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(tsu, verb):
    status, out, _ = tsu(verb, "--help")
    assert status == 0
    assert verb in out


@pytest.mark.parametrize(
    "words", [["train"], ["fit"], ["fit", "x", "--epochs", "many"], ["predict", "x"], ["fit", "x", "--no-such"]]
)
def test_what_cannot_be_parsed_leaves_with_2(tsu, words):
    status, out, err = tsu(*words)
    assert (status, out) == (2, "")
    assert err


@pytest.mark.parametrize(
    ("words", "what", "allowed", "got"),
    [
        ("fit x --no-such", "There is no option --no-such.", "", ""),
        ("fitt", "There is no command 'fitt'.", "did you mean fit?", ""),
        ("data gte", "There is no command 'gte'.", "did you mean get?", ""),
        ("xyz", "There is no command 'xyz'.", "demo, audit, rank, fit, ", ""),
        ("fit", "DATA is missing.", "a folder of photos", ""),
        ("fit x y", "There are more words than the command takes.", "", "y"),
        ("fit x --out", "--out needs a value.", "", ""),
        ("fit x --seed many", "--seed does not take this value.", "a whole number", "'many'"),
        ("fit x --engine=fast", "--engine does not take this value.", "auto, openvino, torch", "'fast'"),
        ("fit x --views -1", "--views does not take this value.", "0 or more", "'-1'"),
    ],
)
def test_a_refusal_says_what_is_wrong_allowed_and_got(tsu, words, what, allowed, got):
    _, _, err = tsu(*words.split())
    lines = err.splitlines()
    assert lines[0] == what
    assert allowed in err
    assert not got or f"  got: {got}" in lines
    assert lines[-1].endswith("--help")
    _, _, japanese = tsu("--lang", "ja", *words.split())
    assert what not in japanese


@pytest.mark.robust("surface", case="`tsugiki trian`, `train`, `models`, `photos/`", right="the command that was meant")
@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("trian", "fit"),
        ("train", "fit"),
        ("Finetune", "fit --method fine-tune"),
        ("evalute", "evaluate"),
        ("models", "backbones"),
        ("dowload", "data get"),
        ("my photos", "fit 'my photos'"),
    ],
)
def test_a_word_that_is_no_command_is_understood(tsu, tmp_path, monkeypatch, word, meant):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my photos").mkdir()
    status, _, err = tsu(word)
    assert status == 2
    assert f"did you mean {meant}?" in err


@pytest.mark.robust(
    "surface", case="help pages at 80 columns in English and Japanese", right="panels, examples, no broken word"
)
@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("verb", ["", *VERBS, "data get"])
def test_every_page_has_examples_and_fits(tsu, monkeypatch, verb, language):
    from rich.cells import cell_len

    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = tsu("--lang", language, *verb.split(), "--help")
    assert max(map(cell_len, out.splitlines())) <= 80
    examples = out.partition({"en": "Examples", "ja": "例"}[language] + "\n")[2]
    assert examples.count("  tsugiki ") >= 2
    if language == "ja":
        for word in ("Usage", "Options", "Arguments", "Commands", "[OPTIONS]", "COMMAND", "default:"):
            assert word not in out


@pytest.mark.robust("surface", case="TAB in bash, zsh and fish", right="commands, options and choices are completed")
@pytest.mark.parametrize(
    ("words", "expected"),
    [("tsugiki ev", "evaluate"), ("tsugiki fit --cla", "--class-weights"), ("tsugiki fit x --method ", "fine-tune")],
)
def test_the_shell_completes_words(run_cli, words, expected):
    count = str(len(words.split(" ")) - 1)
    done = run_cli(_TSUGIKI_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=count)
    assert expected in done.stdout.split()
    done = run_cli(_TSUGIKI_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS=words)
    assert expected in done.stdout


def test_completion_is_installed_and_shown(run_cli, tmp_path):
    done = run_cli("--install-completion", "bash", HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    script = done.stdout.strip()
    assert script.startswith(str(tmp_path))
    assert "_TSUGIKI_COMPLETE" in Path(script).read_text(encoding="utf-8")
    assert "#compdef tsugiki" in run_cli("--show-completion", "zsh").stdout
    done = run_cli("--lang", "ja", "--show-completion", "csh")
    assert (done.returncode, done.stdout) == (2, "")
    assert "csh" in done.stderr


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_long_help_page_begins_with_the_basics_and_breaks_no_word(tsu, monkeypatch, language):
    from rich.cells import cell_len

    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = tsu("--lang", language, "fit", "--help")
    titles = [line for line in out.splitlines() if line and not line.startswith((" ", "Usage", "使い方"))][1:]
    assert [title.split(" ")[0] for title in titles] == {
        "en": ["Arguments", "Basics", "Fine-tuning", "Expert", "Examples"],
        "ja": ["引数", "基本", "ファインチューニング", "詳細", "例"],
    }[language]
    assert max(map(cell_len, out.splitlines())) <= 80
    assert {"--out", "--backbone", "--method"} <= set(out.partition(titles[2])[0].split())
    for word in ("efficientnet_b0]", "auto|float32|bfloat16|float16", "--set"):
        assert word in out.split()


def test_a_language_that_is_not_spoken(tsu):
    for words in (["--lang", "fr", "--help"], ["--lang=fr"], ["--help", "--lang"]):
        status, out, err = tsu(*words)
        assert (status, out) == (2, "")
        assert "en, ja" in err


def test_a_traceback_only_with_debug(tsu, capsys):
    status, _, err = tsu("summary", "resnet19")
    assert status == 2
    assert "Traceback" not in err
    assert "resnet18" in err
    with pytest.raises(RequestError):
        main.run(["summary", "resnet19", "--debug"])
    capsys.readouterr()


def test_what_should_not_happen_is_a_sentence_too(tsu, monkeypatch):
    def surprise():
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(main, "command_line", lambda _: lambda *_, **__: surprise())
    status, out, err = tsu("fit")
    assert (status, out) == (1, "")
    assert "ZeroDivisionError: division by zero" in err
    assert "--debug" in err
    with pytest.raises(ZeroDivisionError):
        main.run(["fit", "--debug"])


def test_what_the_system_refuses_is_said_in_its_words(tsu, run_folder, dishes, tmp_path):
    (tmp_path / "file").touch()
    status, out, err = tsu("evaluate", run_folder, dishes, "--out", tmp_path / "file" / "below")
    assert (status, out) == (1, "")
    assert "Not a directory" in err


class Harm:
    def __reduce__(self):
        return open, ("harm-was-done", "w")


def _lay_out(folder):
    """What the words of the bad requests name."""
    for name in ("a", "b"):
        for split in ("train", "val"):
            path = folder / "other" / split / (name if split == "train" else f"{name}{name}") / "1.png"
            path.parent.mkdir(parents=True)
            shutil.copyfile(folder / "photo.jpg", path)
    for name in ("only/cat", "text/a", "text/b"):
        (folder / name).mkdir(parents=True)
        for number in range(3):
            path = folder / name / f"{number}.jpg"
            path.write_text(f"this is text {number % 2}\n") if name.startswith("text") else shutil.copyfile(
                folder / "photo.jpg", path
            )
    (folder / "evil.pth").write_bytes(pickle.dumps({"weight": Harm()}))
    (folder / "nonsense.safetensors").write_bytes(b"no weights")
    (folder / "full").mkdir()
    (folder / "full" / "diary.txt").touch()


FIT = ["fit", "GOOD", "--out", "new", "--backbone"]
BAD_REQUESTS = {
    "no such folder": (["fit", "no/such", "--out", "new"], 2, "no/such"),
    "no such folder, but one like it": (["fit", "onyl", "--out", "new"], 2, "only"),
    "one class only": (["fit", "only", "--out", "new"], 1, "cat"),
    "unknown backbone": ([*FIT, "efficentnet_b0"], 2, "efficientnet_b0"),
    "unknown source": ([*FIT, "tensorflow:x"], 2, "torchvision:"),
    "texts named .jpg": (["fit", "text", "--backbone", "bundled:nae", "--out", "new"], 1, "a/0.jpg"),
    "held-out folder of other classes": (["fit", "other", "--out", "new"], 1, "aa"),
    "weights that would run code": ([*FIT, "mobilenet_v2", "--weights", "evil.pth"], 1, "evil.pth"),
    "weights that are none": ([*FIT, "mobilenet_v2", "--weights", "nonsense.safetensors"], 1, "nonsense.safetensors"),
    "no such weights file": ([*FIT, "mobilenet_v2", "--weights", "gone.pth"], 1, "gone.pth"),
    "no such set of weights": ([*FIT, "mobilenet_v2", "--weights", "IMAGENET21K"], 2, "IMAGENET1K_V1"),
    "no argument of an architecture": (
        [*FIT, "timm:test_vit", "--weights", "none", "--model-arg", "depth"],
        2,
        "NAME=VALUE",
    ),
    "an argument nobody takes": ([*FIT, "timm:test_vit", "--weights", "none", "--model-arg", "dpeth=3"], 2, "dpeth"),
    "no such device": ([*FIT, "bundled:nae", "--device", "tpu"], 2, "cpu"),
    "no such engine": ([*FIT, "bundled:nae", "--engine", "onnx"], 2, "openvino"),
    "no seed": ([*FIT, "bundled:nae", "--seed", "-1"], 2, "-1"),
    "no epochs": ([*FIT, "bundled:nae", "--epochs", "0"], 2, "--epochs 0"),
    "held out too much": ([*FIT, "bundled:nae", "--held-out", "1.5"], 2, "--held-out 1.5"),
    "a folder that is no run": (["fit", "GOOD", "--backbone", "bundled:nae", "--out", "full"], 2, "full-run"),
    "a file in the way": (["fit", "GOOD", "--backbone", "bundled:nae", "--out", "photo.jpg/run"], 2, "photo.jpg"),
    "the folder one stands in": (["fit", "GOOD", "--backbone", "bundled:nae", "--out", "."], 2, "."),
    "no such zoo": ([*FIT, "bundled:nae", "--zoo", "zoo.toml"], 2, "zoo.toml"),
    "a run that is none": (["predict", "full", "photo.jpg"], 1, "diary.txt"),
    "no run": (["evaluate", "gone", "GOOD"], 2, "tsugiki fit"),
    "no photo": (["predict", "RUN", "gone.jpg"], 2, "gone.jpg"),
    "a folder without photos": (["predict", "RUN", "full"], 2, "full"),
    "nothing but unreadable photos": (["predict", "RUN", "text", "--format", "json"], 1, "text"),
}
"""Words that make no sense, the exit status, and what the answer must name; GOOD are photos, RUN is a run."""


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_a_bad_request_is_one_clear_sentence(tsu, tmp_path, dishes, saved_classifier_once, monkeypatch, name, language):
    shutil.copyfile(next((dishes / "train" / "pizza").iterdir()), tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    _lay_out(tmp_path)
    words, expected, named = BAD_REQUESTS[name]
    if "RUN" in words:
        shutil.copytree(saved_classifier_once, tmp_path / "RUN")
    status, out, err = tsu("--lang", language, *[str(dishes) if word == "GOOD" else word for word in words])
    assert status == expected, err
    assert out == ""
    assert named in err
    assert "Traceback" not in err
    assert "should not" not in err
    assert "--debug" not in err
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "harm-was-done").exists()
    assert [entry for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


@pytest.mark.long
def test_default_weights_that_cannot_be_had_name_the_ways_round(run_cli, dishes, tmp_path):
    done = run_cli(
        "fit",
        dishes,
        "--out",
        tmp_path / "new",
        TORCH_HOME=str(tmp_path / "torch"),
        HTTPS_PROXY="http://127.0.0.1:9",
        NO_PROXY="",
    )
    assert (done.returncode, done.stdout) == (1, "")
    for way in ("--backbone bundled:nae", "--weights", "https://download.pytorch.org/"):
        assert way in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "new").exists()


def test_fit_evaluate_and_predict_agree(tsu, dishes, tmp_path):
    target = tmp_path / "写真" / "run"
    words = ["fit", dishes, "--backbone", "bundled:nae", "--epochs", "20", "--out", target]
    status, out, err = tsu(*words, "--json")
    assert status == 0
    document = json.loads(out)
    assert document["run"] == target.as_posix()
    assert "Engine:" in err
    assert "frozen" in err
    stored = json.loads((target / "evaluation.json").read_text(encoding="utf-8"))
    assert document["evaluation"] == stored
    status, out, err = tsu("evaluate", target, dishes, "--json", "--out", tmp_path / "judged")
    assert status == 0
    judged = json.loads(out)
    assert (judged["accuracy"], judged["n"], judged["split"]) == (stored["accuracy"], 18, "test")
    assert json.loads((tmp_path / "judged" / "evaluation.json").read_text(encoding="utf-8")) == judged
    status, out, err = tsu("predict", target, dishes / "test", "--format", "json")
    assert status == 0
    rows = {
        row.split(",")[0]: row.split(",") for row in (target / "predictions.csv").read_text(encoding="utf-8-sig").splitlines()
    }
    answers = json.loads(out)
    assert len(answers) == 18
    for answer in answers:
        row = rows["test" + answer["path"].rpartition("/test")[2]]
        assert row[3] == answer["label"]
        assert [float(value) for value in row[5:8]] == pytest.approx(list(answer["probabilities"].values()), abs=1e-4)
    status, out, _ = tsu("fit", dishes, "--backbone", "bundled:nae", "--epochs", "5", "--out", target, "--force")
    assert (status, out) == (0, f"{target}\n")


def test_predictions_as_table_and_csv(tsu, run_folder, dishes, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"<html>")
    photos = sorted((dishes / "test" / "pizza").iterdir())[:2]
    status, out, err = tsu("predict", run_folder, *photos, broken, "--top", "2", "--plot", tmp_path / "answers.png")
    assert status == 1
    assert [line.split()[0] for line in out.splitlines()[1:]] == [str(path) for path in photos]
    assert "broken.jpg" in err
    assert (tmp_path / "answers.png").stat().st_size > 1000
    status, out, _ = tsu("predict", run_folder, *photos, "--format", "csv")
    header, *rows = out.splitlines()
    assert header == "path,predicted,known,probability:pizza,probability:steak,probability:sushi,problem"
    assert len(rows) == 2
    status, out, _ = tsu("--lang", "ja", "evaluate", run_folder, dishes)
    assert status == 0
    assert len(out.splitlines()) == 4


def test_the_cache_is_shown_and_cleared(tsu, dishes, run_folder):
    status, out, _ = tsu("cache", "--json")
    assert json.loads(out)["vectors"] == 0
    tsu("evaluate", run_folder, dishes)
    status, out, _ = tsu("cache", "--json")
    assert (status, json.loads(out)["photos"], json.loads(out)["vectors"]) == (0, 18, 18)
    status, out, _ = tsu("cache")
    assert "18" in out
    status, out, _ = tsu("cache", "--clear")
    assert status == 0
    assert json.loads(tsu("cache", "--json")[1])["vectors"] == 0


def test_photos_that_came_in_archives_or_from_addresses_are_shown_and_cleared_too(tsu, dishes, run_folder, tmp_path):
    from tsugiki.core.files import cache_folder

    packed = shutil.make_archive(str(tmp_path / "photos"), "zip", dishes)
    assert tsu("evaluate", run_folder, packed)[0] == 0
    kept = sum(path.stat().st_size for path in (cache_folder() / "archives").rglob("*") if path.is_file())
    assert kept
    fetched = cache_folder() / "fetched" / "a.jpg"
    fetched.parent.mkdir(exist_ok=True)
    fetched.write_bytes(bytes(7))
    shown = json.loads(tsu("cache", "--json")[1])
    assert (shown["archives_bytes"], shown["fetched_bytes"]) == (kept, 7)
    status, out, _ = tsu("--lang", "ja", "cache")
    assert status == 0
    assert f"{cache_folder() / 'archives'}: アーカイブから展開した写真" in out
    freed = json.loads(tsu("cache", "--clear", "--json")[1])["freed_bytes"]
    assert freed >= kept + 7
    assert not (cache_folder() / "archives").exists()
    assert not fetched.exists()
    assert tsu("evaluate", run_folder, packed)[0] == 0  # unpacked anew


def test_a_damaged_store_is_said_and_made_anew(tsu, dishes, run_folder):
    from tsugiki.features.store import FeatureStore

    (FeatureStore().folder / "index.sqlite").write_bytes(b"no database" * 1000)
    status, out, err = tsu("evaluate", run_folder, dishes)
    assert status == 0
    assert "is damaged: it is put aside" in err
    status, again, err = tsu("evaluate", run_folder, dishes)
    assert (status, again) == (0, out)
    assert "damaged" not in err


@pytest.mark.long
@pytest.mark.robust(
    "hostile",
    case="a cache that cannot be written: fit, audit, evaluate",
    right="the same results, said once where they are kept",
)
def test_no_verb_needs_the_cache(tsu, dishes, run_folder, tmp_path, monkeypatch):
    expected = tsu("evaluate", run_folder, dishes)[1]
    (tmp_path / "file").touch()
    monkeypatch.setenv("TSUGIKI_CACHE", str(tmp_path / "file" / "cache"))
    status, out, err = tsu("evaluate", run_folder, dishes)
    assert (status, out) == (0, expected)
    assert err.count("keeps what it computes in memory") == 1
    for words in (
        ("fit", dishes, "--backbone", "bundled:nae", "--out", tmp_path / "new"),
        ("audit", dishes, "--backbone", "bundled:nae", "--out", tmp_path / "found"),
        ("cache",),
    ):
        status, _, err = tsu(*words)
        assert status == 0, err
        assert "keeps what it computes in memory" in err
    assert (tmp_path / "new" / "classifier.json").is_file()
    packed = shutil.make_archive(str(tmp_path / "photos"), "zip", dishes)
    status, _, err = tsu("audit", packed, "--backbone", "bundled:nae")
    assert status == 0, err
    assert "a temporary folder is used" in err


@pytest.mark.robust(
    "hostile",
    case="full memory, a full disk or a limit, in the words of the library that ran into it",
    right="a sentence about this machine, not a fault of the program",
)
@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MemoryError(), "not enough memory"),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory: you tried"),
            "not enough memory",
        ),
        (RuntimeError("can't start new thread"), "not enough memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), "not enough memory"),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), "not enough memory"),
        (ImportError("libGL.so.1: cannot open shared object file"), "could not be loaded"),
        (SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"), "The system refused"),
        (RuntimeError("file write failed: File too large"), "The system refused"),
        (RecursionError("maximum recursion depth exceeded"), "nested too deep"),
        (ZeroDivisionError("division by zero"), "Something went wrong that should not"),
    ],
)
def test_what_the_machine_lacks_is_a_sentence(tsu, tmp_path, monkeypatch, error, says):
    monkeypatch.setattr("tsugiki.core.devices.pick_device", lambda *_: (_ for _ in ()).throw(error))
    monkeypatch.setattr("tsugiki.classifier.classifier.Classifier.load", lambda *_: (_ for _ in ()).throw(error))
    (tmp_path / "a.jpg").touch()
    status, out, err = tsu("predict", tmp_path, tmp_path / "a.jpg")
    assert (status, out) == (1, "")
    assert says in err


def _limited(limit, size, *words):
    code = (
        f"import resource; resource.setrlimit(resource.{limit}, ({size}, {size}));"
        "import sys; from tsugiki.cli.main import main; sys.argv = ['tsugiki', *sys.argv[1:]]; main()"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="limits of this kind are set on Linux")
@pytest.mark.robust(
    "hostile", case="too little address space, or a limit on the size of files", right="a sentence that names the limit"
)
def test_limits_of_the_system_are_sentences(dishes, tmp_path):
    words = ("fit", dishes, "--backbone", "bundled:nae", "--out", tmp_path / "run")
    for limit, size, says in (("RLIMIT_AS", 1 << 30, "not enough memory"), ("RLIMIT_FSIZE", 1 << 20, "ulimit -f")):
        done = _limited(limit, size, *words)
        assert done.returncode == 1
        assert says in done.stderr
        assert "Something went wrong" not in done.stderr
        assert not (tmp_path / "run").exists()


@pytest.mark.robust("hostile", case="deep JSON or TOML: zoo, --model-arg, classifier.json", right="refused in a sentence")
def test_what_is_nested_too_deep_is_a_sentence(tsu, dishes, run_folder, tmp_path, monkeypatch):
    deep = "[" * 100_000
    (run_folder / "classifier.json").write_text(deep, encoding="utf-8")
    (tmp_path / "zoo.toml").write_text("a = " + deep, encoding="utf-8")
    for words in (("evaluate", run_folder, dishes), ("summary", "timm:test_resnet", "--model-arg", f"a={deep}")):
        status, _, err = tsu(*words)
        assert status in {1, 2}
        assert "Something went wrong" not in err
    monkeypatch.setenv("TSUGIKI_ZOO", str(tmp_path / "zoo.toml"))
    status, _, err = tsu("summary", "ours")
    assert status == 2
    assert "too deep" in err


@pytest.mark.robust(
    "hostile",
    case="a label of 5,000 digits, a path with a zero byte",
    right="the one is a class like any other, the other no file",
)
def test_odd_cells_of_a_table_are_sentences(tsu, dishes, tmp_path):
    photos = sorted(dishes.rglob("*.jpg"))
    rows = [f"{path},{'7' * 5000 if path.parent.name == 'pizza' else path.parent.name}" for path in photos]
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *rows, "a\0b.jpg,steak"]), encoding="utf-8")
    status, _, err = tsu("audit", tmp_path / "list.csv", "--backbone", "bundled:nae")
    assert status == 0, err[-2000:]
    assert "no such file" in err


@pytest.mark.slow
def test_the_reader_may_stop_early():
    command = f"{sys.executable} -m tsugiki backbones | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout
    assert done.stderr == ""


def test_runs_are_named_after_their_photos(tmp_path):
    assert default_target("sample:foodvision").as_posix() == "runs/foodvision"
    assert default_target(str(tmp_path / "food.zip")).as_posix() == "runs/food"
    assert default_target("/").as_posix() == "runs/run"


@pytest.mark.parametrize("language", ["en", "ja"])
def test_tables_are_aligned_whatever_the_width_of_letters(language):
    from rich.cells import cell_len

    from tsugiki.cli.output import aligned

    text = aligned(
        [("class", "photos"), ("猫と犬", "3"), ("é", "12345")] if language == "ja" else [("a", "b"), ("ccc", "d"), ("e", "f")]
    )
    starts = [cell_len(line[: line.rindex(line.split()[-1])]) for line in text.splitlines()]
    assert len(set(starts)) == 1


@pytest.mark.long
def test_demo_ends_by_saying_what_to_try_next(run_cli, tmp_path):
    done = run_cli("demo", "--out", tmp_path / "demo", TSUGIKI_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'demo'}\n"
    document = json.loads((tmp_path / "demo" / "evaluation.json").read_text(encoding="utf-8"))
    assert document["accuracy"] >= 0.9
    assert document["n"] == 75
    assert "tsugiki fit PHOTOS" in done.stderr.split("photos answered right")[1]
    assert (tmp_path / "demo" / "predictions.png").is_file()


@pytest.mark.long
def test_an_option_that_is_advised_exists(tsu):
    """What an error says is typed can be typed."""
    for words, option in (
        (["--held-out", "2"], "--held-out"),
        (["--batch-size", "0"], "--batch-size"),
        (["--lr", "0"], "--lr"),
    ):
        status, _, err = tsu("fit", "sample:foodvision", *words)
        assert status == 2
        assert option in err
