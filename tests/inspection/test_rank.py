"""Networks are ranked on training photos alone, once, within a budget, and the fit that follows finds everything ready."""

import json
import re
import shutil
import time
from collections import namedtuple
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import tsugiki as tg
from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.core.errors import DataError, RequestError
from tsugiki.data.samples import Samples
from tsugiki.features.executor import PixelReader
from tsugiki.inspection.rank import choice, judgement, judging, rank_backbones, search
from tsugiki.inspection.rank.candidates import Candidate, candidates, is_permissive
from tsugiki.inspection.rank.contender import Speed
from tsugiki.inspection.rank.rank_settings import Clock
from tsugiki.inspection.rank.training_photos import stratified_order

UNTRAINED = "timm:test_vit=none"
THREE = ["bundled:nae", UNTRAINED, "timm:test_efficientnet=none"]
AS_THEY_ARE, TOGETHER = tg.RankSettings(parts=1), tg.RankSettings()


def ranked(data, settings=AS_THEY_ARE, **given):
    """``tsugiki.rank`` in PyTorch alone: converting networks for a few photos takes a second each."""
    return tg.rank(data, features=tg.FeatureSettings(engine="torch"), settings=settings, **given)


@pytest.fixture
def zoo(tmp_path):
    """Two small networks of somebody's own: weights that nobody trained, but that are somebody's."""
    lines = []
    for number, name in enumerate(("small", "smaller")):
        torch.manual_seed(number)
        network = load_backbone("timm:test_efficientnet", weights="none")
        torch.save(network.body.state_dict(), tmp_path / f"{name}.pth")
        lines.append(f'[backbone.{name}]\narchitecture = "timm:test_efficientnet"\nweights = "{name}.pth"\n')
    lines[0] += 'licence = "MIT"\n'
    (tmp_path / "zoo.toml").write_text("\n".join(lines))
    return tmp_path / "zoo.toml"


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """60 + 12 small photos of two classes that any network tells apart, in noise."""
    root, dice = tmp_path_factory.mktemp("many"), np.random.default_rng(0)
    for split, count in (("train", 30), ("test", 6)):
        for name, colour in (("red", 0), ("blue", 2)):
            for number in range(count):
                pixels = dice.integers(60, 190, (48, 48, 3))
                pixels[..., colour] = np.minimum(255, pixels[..., colour] + 50)
                path = root / split / name / f"{number:02}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels.astype(np.uint8)).save(path)
    time.sleep(0.06)  # old enough to be trusted
    return root


@pytest.mark.long
def test_a_trained_network_comes_before_untrained_ones(dishes):
    found = ranked(dishes, backbones=THREE)
    assert found.best == found.rows[0].name == "bundled:nae"
    assert found.rows[0].group == 1
    assert {row.name for row in found.rows[1:]} == set(THREE[1:])
    assert found.rows[2].group == 2
    assert all(0 <= row.interval[0] <= row.score <= row.interval[1] <= 1 for row in found.rows)
    assert all(row.photos == found.photos == 36 for row in found.rows)
    assert all(row.photos_per_second > 0 and row.latency_ms and row.parameters and row.megabytes for row in found.rows)
    assert found.rows[0].megabytes == pytest.approx(4 * found.rows[0].parameters / 1e6, rel=0.02)  # and BatchNorm's statistics
    assert json.loads(json.dumps(found.to_dict()))["best"] == "bundled:nae"
    assert "bundled:nae" in found._repr_html_()


@pytest.mark.long
def test_the_fit_that_follows_decodes_no_photo_and_validates_the_same(dishes, decoded):
    found = tg.rank(dishes, backbones=THREE[:2])
    assert found.to_decode == 0
    decoded.clear()
    data = tg.load(dishes)
    run = tg.fit(tg.Classifier(found.best, classes=data.classes), data)
    assert not decoded
    assert run.table.computed == 0
    assert run.history[-1]["val_acc"] == pytest.approx(found.row(found.best).score)


@pytest.mark.long
@pytest.mark.robust("hostile", case="`rank` again after it was done", right="found again, nothing decoded or learned")
def test_what_was_ranked_before_is_found_again(dishes, decoded, monkeypatch):
    first = ranked(dishes, backbones=THREE)
    decoded.clear()
    monkeypatch.setattr(judgement, "fit_head", None)
    second = ranked(dishes, backbones=THREE)
    assert not decoded
    assert all(row.found_again for row in second.rows)
    assert [replace(row, found_again=False) for row in second.rows] == [replace(row, found_again=False) for row in first.rows]


@pytest.mark.long
@pytest.mark.robust("hostile", case="`rank` stopped in the middle of its second network", right="goes on from there")
def test_an_interrupted_ranking_repeats_no_finished_network(dishes, decoded, monkeypatch):
    read = PixelReader.read

    def interrupted(reader, position):
        if len(decoded) > 56:  # 8 and 36 photos of the first network, some of the second
            raise KeyboardInterrupt
        return read(reader, position)

    with monkeypatch.context() as patch:
        patch.setattr(PixelReader, "read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ranked(dishes, backbones=THREE[:2])
    assert len(decoded) > 44
    decoded.clear()
    learned = []
    fit_head = judgement.fit_head
    monkeypatch.setattr(judgement, "fit_head", lambda *given: learned.append(1) or fit_head(*given))
    found = ranked(dishes, backbones=THREE[:2])
    assert found.row("bundled:nae").found_again
    assert len(learned) == 1
    # The second network's training photos at most, and the held-out ones of the first.
    assert sum("train" in str(path) for path in decoded) <= 36
    assert len(decoded) <= 36 + 18 + 8


@pytest.mark.long
def test_labels_of_held_out_photos_have_no_say(dishes):
    data = tg.load(dishes)
    labels = data.labels.copy()
    labels[data.held_out_rows] = np.roll(labels[data.held_out_rows], 7)
    turned = ranked(replace(data, labels=labels), backbones=THREE)
    assert all(row.found_again is False for row in turned.rows)
    again = ranked(data, backbones=THREE)
    assert all(row.found_again for row in again.rows)
    assert again.best == turned.best


def test_without_time_one_network_is_judged_all_the_same(many):
    settings = tg.RankSettings(budget=20, parts=1)
    found = ranked(many, backbones=THREE, settings=settings, clock=Clock(20, time.monotonic() - 30))
    assert [row.name for row in found.rows] == ["bundled:nae"]
    assert {one.name for one in found.left_out} == {*THREE[1:]}
    assert all("time" in one.reason for one in found.left_out)
    assert found.to_decode == 12
    assert "only one" in found.reason
    assert any("more than the 20 s that were allowed" in line for line in found.told())


@pytest.mark.long
def test_the_better_half_is_judged_on_more_photos(many, monkeypatch):
    monkeypatch.setattr(search, "_FEW", 16)
    names = [f"timm:test_{kind}=none" for kind in ("vit", "efficientnet", "resnet", "byobnet")]
    # There is time for everybody on few photos, and for three networks on all.
    monkeypatch.setattr(judging.Judge, "cost", lambda _, __, count: 10.0 if count > 16 else 0.0)
    monkeypatch.setattr(Clock, "left", lambda *_: 35.0)
    found = ranked(many, backbones=["bundled:nae", *names], settings=tg.RankSettings(budget=1000))
    assert [row.photos for row in found.rows] == [60, 60, 60, 16, 16]
    assert found.rows[0].group < found.rows[3].group
    assert "judged on" in found.table()[0]
    assert found.row(found.best).photos == 60


def test_a_quick_network_that_comes_first_is_compared_with_slow_ones_on_the_same_photos(many, monkeypatch):
    monkeypatch.setattr(search, "_FEW", 16)
    slow = {"timm:test_vit=none", "timm:test_efficientnet=none"}

    def cost(_, parts, count):
        return 100.0 if count > 16 and slow & {part.name for part in parts} else 0.0

    monkeypatch.setattr(judging.Judge, "cost", cost)
    monkeypatch.setattr(Clock, "left", lambda *_: 35.0)
    found = ranked(many, backbones=THREE, settings=tg.RankSettings(budget=1000, parts=1))
    assert [row.photos for row in found.rows] == [16, 16, 16]


def test_where_all_were_judged_on_few_photos_that_is_told(many, monkeypatch):
    monkeypatch.setattr(search, "_FEW", 16)
    monkeypatch.setattr(judging.Judge, "cost", lambda _, __, count: 100.0 if count > 16 else 0.0)
    monkeypatch.setattr(Clock, "left", lambda *_: 35.0)
    found = ranked(many, backbones=THREE[:2], settings=tg.RankSettings(budget=1000, parts=1))
    assert [row.photos for row in found.rows] == [16, 16]
    assert "judged on" in found.table()[0]
    assert found.told()[0].startswith("Judged by cross-validation on 16 of the 60 training photos")


@pytest.mark.parametrize(("alone", "gain"), [(192, "1.5 points more than slow"), (195, ""), (196, "")])
@pytest.mark.parametrize("task", ["single", "multi"])
def test_what_several_together_gain_is_told_where_they_gain(monkeypatch, task, alone, gain):
    network = namedtuple("Network", "name speed")
    slow, quick, small = (network(name, Speed(rate, "", 0)) for name, rate in (("slow", 5), ("quick", 100), ("small", 90)))
    judged = {}
    # One that is proven less accurate is not taken, whatever its log loss; with several labels the fastest that is as good.
    monkeypatch.setattr(choice, "can_be_told_apart", lambda first, second: abs(first.value - second.value) > 0.1)
    for parts, hits, loss in (((slow,), alone, 0.3), ((quick,), 150, 0.1), ((quick, small), 195, 0.2)):
        of = {"log_loss": loss} if task == "single" else {}
        judged[parts] = judgement.Judgement(200, 200, hits / 200, (0.0, 1.0), **of)
    judge = SimpleNamespace(latest=judged, photos=SimpleNamespace(samples=SimpleNamespace(task=task)))
    assert choice.recommended(judge) == (quick, small)
    told = choice.reason(judge, (quick, small))
    assert told.startswith("quick+small is")
    assert gain in told
    assert ("more than" in told) == bool(gain)
    if alone > 195:
        assert ("percentages fit better" in told) == (task == "single")


def test_every_beginning_of_the_order_has_its_share_of_every_class():
    labels = np.repeat([0, 1, 2], [200, 80, 20])
    names = tuple(f"{row}.png" for row in range(300))
    samples = Samples(None, names, labels, ("train",) * 300, ("a", "b", "c"), names)
    order = stratified_order(samples, 3)
    assert sorted(order) == list(range(300))
    for count in (30, 75, 150):
        shares = np.bincount(labels[order[:count]], minlength=3) / count
        assert shares == pytest.approx([200 / 300, 80 / 300, 20 / 300], abs=2 / count)


@pytest.mark.long
def test_several_networks_are_tried_together(dishes, zoo, decoded):
    found = ranked(dishes, TOGETHER, backbones=["bundled:nae", "small", "smaller"], zoo=zoo)
    pairs = {row.name for row in found.rows if row.parts == 2}
    alone = [row for row in found.rows if row.parts == 1 and not row.name.endswith(":multi")]
    first = min(alone, key=lambda row: row.log_loss).name
    assert len({name for name in pairs if "multi" not in name}) == 2
    assert all(name.startswith((f"{first}+", f"{first}:multi+")) for name in pairs)
    one, two = (found.row(name) for name in ("small", "bundled:nae"))
    joint = found.row(f"{first}+small" if first != "small" else "small+bundled:nae")
    if first == "bundled:nae":
        assert joint.megabytes == pytest.approx(one.megabytes + two.megabytes)
        assert joint.latency_ms == pytest.approx(one.latency_ms + two.latency_ms)
    staged = sum(row.parts == 1 and row.name.endswith(":multi") for row in found.rows)
    assert staged  # the best once more, with their stages
    # Every network looked at the photos once, with its stages once, and no pair again.
    assert len([path for path in decoded if "train" in str(path)]) <= (3 + staged) * (36 + 8 + 8)
    alone = ranked(dishes, backbones=["bundled:nae", "small"], zoo=zoo)  # found again
    assert {row.name for row in alone.rows} == {"bundled:nae", "small"}


def test_what_is_beyond_a_limit_is_named_with_the_reason(dishes, zoo):
    settings = tg.RankSettings(max_size=2, parts=1)
    found = ranked(dishes, backbones=["bundled:nae", "small"], zoo=zoo, settings=settings)
    assert [row.name for row in found.rows] == ["small"]
    assert re.fullmatch(r"11\.\d MB, more than the 2 MB that are allowed", found.left_out[0].reason)
    slow = tg.RankSettings(max_latency=0.001)
    with pytest.raises(RequestError, match="Not one network") as refused:
        ranked(dishes, backbones=["small"], zoo=zoo, settings=slow)
    assert "ms per photo" in str(refused.value)


@pytest.mark.long
def test_licences_are_told_and_filtered(dishes, zoo):
    found = ranked(dishes, backbones=["small", "smaller"], zoo=zoo, settings=tg.RankSettings(parts=1))
    assert {row.name: row.licence for row in found.rows} == {"small": "MIT", "smaller": "unknown"}
    assert bool(found.warnings) == (found.best == "smaller")
    free = ranked(dishes, backbones=["small", "smaller"], zoo=zoo, settings=tg.RankSettings(licence="permissive", parts=1))
    assert [row.name for row in free.rows] == ["small"]
    assert "nobody says" in free.left_out[0].reason
    unknown = ranked(dishes, backbones=["smaller"], zoo=zoo)
    assert "smaller" in unknown.warnings[0]


@pytest.mark.parametrize(
    ("licence", "free"),
    [
        ("apache-2.0", True),
        ("Apache License 2.0", True),
        ("MIT", True),
        ("bsd-3-clause", True),
        ("cc0-1.0", True),
        ("unknown", False),
        ("", False),
        ("cc-by-nc-4.0", False),
        ("mitchell-research", False),
        ("Apache-2.0 for non-commercial use", False),
        ("https://github.com/facebookresearch/SWAG/blob/main/LICENSE", False),
    ],
)
def test_which_licences_allow_every_use(licence, free):
    assert is_permissive(licence) is free


def test_what_cannot_be_loaded_is_named_and_the_others_are_ranked(dishes, tmp_path):
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no weights")
    named = [f"timm:test_vit={broken}", "bundled:nie", "bundled:nae"]
    found = ranked(dishes, backbones=named)
    assert [row.name for row in found.rows] == ["bundled:nae"]
    assert {one.name for one in found.left_out} == {*named[:2]}
    assert all(one.reason for one in found.left_out)


def test_by_default_all_networks_on_this_machine_are_candidates_and_nothing_is_fetched(zoo):
    assert [each.name for each in candidates(None, zoo)] == ["small", "smaller", "bundled:nae"]


def test_candidates_are_read_with_their_weights(tmp_path):
    odd = tmp_path / "a=b"
    odd.mkdir()
    assert Candidate.read("resnet18=none") == Candidate("resnet18", "none")
    assert Candidate.read(str(odd)) == Candidate(str(odd))
    assert [str(one) for one in candidates(["bundled:nae", "bundled:nae", " x=y.pth "])] == ["bundled:nae", "x=y.pth"]
    assert [str(one) for one in candidates(["resnet18+bundled:nae=none+default"])] == ["bundled:nae", "resnet18=none"]
    assert [str(one) for one in candidates(["resnet18:multi+bundled:nae"])] == ["bundled:nae", "resnet18:multi"]
    assert candidates("bundled:nae") == candidates(["bundled:nae"])
    assert len(candidates(["shortlist"])) > 3
    for wrong in ("=none", "resnet18=", ""):
        with pytest.raises(RequestError, match="names no network"):
            Candidate.read(wrong)


@pytest.mark.long
def test_a_name_that_does_not_exist_is_left_out_with_those_that_are_near(many):
    ranking = ranked(many, backbones=["qqqqqqqqqqqqqqqq", "mobilenet_v9", "bundled:nae"])
    reasons = {one.name: one.reason for one in ranking.left_out}
    assert reasons["qqqqqqqqqqqqqqqq"] == "There is no backbone called 'qqqqqqqqqqqqqqqq'."
    assert reasons["mobilenet_v9"].startswith("There is no backbone called 'mobilenet_v9'. did you mean mobilenet_v2,")
    with pytest.raises(RequestError) as refused:
        ranked(many, backbones=["mobilenet_v9"])
    assert "did you mean mobilenet_v2," in str(refused.value)


@pytest.mark.long
def test_weights_of_a_file_stand_in_the_words_for_fit(dishes, zoo):
    file = zoo.parent / "small.pth"
    found = ranked(dishes, backbones=[f"timm:test_efficientnet={file}"])
    assert found.row(found.best).words == ("--backbone", "timm:test_efficientnet", "--weights", str(file))
    assert found.load().origin.label == "small.pth"


def test_settings_that_make_no_sense_are_refused_together():
    with pytest.raises(RequestError) as refused:
        tg.RankSettings(budget=-1, licence="free", parts=0)
    assert all(name in str(refused.value) for name in ("budget", "licence", "parts"))


@pytest.mark.long
def test_several_labels_are_ranked_by_mean_average_precision(plates):
    found = ranked(plates, backbones=THREE[:2])
    assert found.metric == "mean_average_precision"
    assert found.best == "bundled:nae"
    assert found.table()[0][2] == "mAP"
    again = ranked(plates, backbones=THREE[:2])
    assert all(row.found_again for row in again.rows)


@pytest.mark.long
@pytest.mark.robust("pixels", case="training photos that only decoding shows to be broken", right="left out by name, ranked")
def test_photos_that_cannot_be_decoded_are_left_out(dishes, tmp_path, hollow_png):
    root = tmp_path / "photos"
    shutil.copytree(dishes, root)
    (root / "train" / "pizza" / "hollow.png").write_bytes(hollow_png)
    (root / "test" / "sushi" / "hollow.png").write_bytes(hollow_png)
    found = ranked(root, backbones=THREE[:2])
    assert found.photos == 36
    assert found.to_decode == 0
    assert sum("hollow" in one.name for one in found.samples.left_out) == 2


@pytest.fixture
def parted(flat):
    """Photos that a draw will hold out of; it parts some from a near copy of theirs, which nobody has looked for yet."""
    for source in sorted(flat.rglob("*.jpg"))[::3]:
        with Image.open(source) as photo:
            photo.resize((photo.width * 9 // 10, photo.height * 9 // 10)).save(source.with_suffix(".jpeg"), quality=80)
    time.sleep(0.06)
    data = tg.load(flat)
    split = dict(zip((str(path) for path in data.paths), data.splits, strict=True))
    assert any(split[name] != split[name.replace(".jpeg", ".jpg")] for name in split if name.endswith(".jpeg"))
    return data


@pytest.mark.long
def test_near_copies_that_the_draw_had_parted_are_never_judged_on_one_side_and_held_out_on_the_other(parted):
    found = tg.rank(parted, backbones=THREE[:2])
    run = tg.fit(tg.Classifier(found.best, classes=parted.classes), parted)
    assert found.samples.splits != parted.splits
    assert run.table.computed == 0
    assert run.samples.splits == found.samples.splits
    assert found.photos == len(run.samples.train_rows)
    assert run.history[-1]["val_acc"] == pytest.approx(found.row(found.best).score)


@pytest.mark.long
def test_where_another_network_is_recommended_in_the_end_its_features_are_all_there(parted, monkeypatch):
    monkeypatch.setattr(rank_backbones, "_MOST_SPLITS", 1)
    before = []

    def turning(judge):
        before.append(judge)
        return choice.in_order(judge)[0 if len(before) == 1 else -1]

    monkeypatch.setattr(rank_backbones, "recommended", turning)
    found = ranked(parted, backbones=THREE[:2])
    assert (found.best, found.to_decode) == (UNTRAINED, 0)
    run = tg.fit(tg.Classifier(found.load(), classes=parted.classes), parted, features=tg.FeatureSettings(engine="torch"))
    assert run.table.computed == 0
    assert run.samples.splits == found.samples.splits


@pytest.mark.long
def test_who_is_judged_when_the_others_are_judged_again_is_not_left_out(parted, monkeypatch):
    refusals = iter([False])
    monkeypatch.setattr(judging.Judge, "is_affordable", lambda *_: next(refusals, True))
    found = ranked(parted, backbones=THREE[:2])
    assert {row.name for row in found.rows} == {*THREE[:2]}
    assert not found.left_out


@pytest.mark.long
def test_the_same_networks_are_judged_alike_in_whatever_order_they_are_named(parted, monkeypatch, tmp_path):
    first = ranked(parted, TOGETHER, backbones=THREE)
    monkeypatch.setenv("TSUGIKI_CACHE", str(tmp_path / "another"))
    second = ranked(parted, TOGETHER, backbones=THREE[::-1])
    assert not any(row.found_again for row in second.rows)
    assert [(row.name, row.score, row.log_loss) for row in second.rows] == [
        (row.name, row.score, row.log_loss) for row in first.rows
    ]


@pytest.mark.long
def test_the_best_is_tried_with_its_stages_where_nothing_speaks_against_it(dishes, zoo):
    found = ranked(dishes, TOGETHER, backbones=["bundled:nae", "small"], zoo=zoo)
    plain = {row.name for row in found.rows if "multi" not in row.name}
    best = min((found.row(name) for name in plain), key=lambda row: row.log_loss)
    staged = "+".join(f"{one.name}:multi" for one in best.candidates)
    assert staged in {row.name for row in found.rows}
    assert found.row(found.best).log_loss == min(row.log_loss for row in found.rows if row.group == 1)
    assert not [one for one in found.candidates if "multi" in one.name]
    asked = ranked(dishes, TOGETHER, backbones=["bundled:nae:multi"])  # nothing is added to what has its stages already
    assert [row.name for row in asked.rows] == ["bundled:nae:multi"]


@pytest.mark.long
def test_how_fast_it_is_is_measured_anew_where_another_engine_computes(many, dishes):
    few = tg.rank(dishes, backbones=THREE[:1], settings=AS_THEY_ARE)  # 36 photos to learn from: no engine is compiled
    more = tg.rank(many, backbones=THREE[:1], settings=AS_THEY_ARE)  # 60
    assert few.rows[0].engine.startswith("torch")
    assert more.rows[0].engine.startswith("openvino")


@pytest.mark.robust(
    "scores", case="uneven classes in `rank`", right="the guess beside the scores; who was not judged is counted"
)
def test_what_a_guess_is_worth_is_told_beside_the_scores(many):
    red, blue = (sorted((many / "train" / name).glob("*.png")) for name in ("red", "blue"))
    labels = np.random.default_rng(0).permutation(["red"] * 30 + ["blue"] * 3).tolist()  # nothing can be learned
    data = Samples.from_lists([*red, *blue[:4]], [*labels, "lonely"], ["train"] * 34)
    found = ranked(data, backbones=THREE[:1])
    (row,) = found.rows
    assert (row.photos, row.judged) == (34, 33)
    assert found.guess == ("red", pytest.approx(30 / 34))
    told = "\n".join(found.told())
    assert "to learn from: 1 of them" in told
    assert "Always answering red would be right for 88.2%" in told
    assert "not proven better than always answering red" in found.warnings[-1]


@pytest.mark.long
def test_where_there_is_no_time_to_judge_again_that_is_said(parted, monkeypatch, capsys):
    monkeypatch.setattr(rank_backbones, "_is_time_to_judge_again", lambda _: False)
    found = ranked(parted, backbones=THREE[:2], settings=tg.RankSettings(budget=1000))
    assert found.photos == len(parted.train_rows)
    assert found.to_decode == 0
    assert re.search(r"no time to judge again: of the photos that were judged, fit will hold \d+ out", capsys.readouterr().err)


def test_photos_without_labels_or_that_cannot_be_cross_validated_are_refused(dishes):
    unlabelled = Samples.from_lists(sorted(dishes.rglob("*.jpg")))
    with pytest.raises(RequestError, match="no labels"):
        ranked(unlabelled, backbones=THREE[:1])
    paths = [min((dishes / "train" / name).iterdir()) for name in ("pizza", "sushi")]
    lonely = Samples.from_lists(paths, ["pizza", "sushi"], ["train", "train"])
    with pytest.raises(DataError, match="cross-validated"):
        ranked(lonely, backbones=THREE[:1])


@pytest.mark.long
def test_networks_that_are_better_together_are_recommended_and_fitted_without_decoding(dishes, zoo, decoded, monkeypatch):
    monkeypatch.setattr(choice, "recommended", lambda judge: next(each for each in choice.in_order(judge) if len(each) == 2))
    monkeypatch.setattr(rank_backbones, "recommended", choice.recommended)
    found = ranked(dishes, TOGETHER, backbones=["bundled:nae", "small"], zoo=zoo)
    assert found.best in {"bundled:nae+small", "small+bundled:nae"}
    assert found.row(found.best).words == ("--backbone", found.best, "--zoo", str(zoo))
    decoded.clear()
    data = tg.load(dishes)
    root = found.load()
    assert len(root.parts) == 2
    run = tg.fit(tg.Classifier(root, classes=data.classes), data, features=tg.FeatureSettings(engine="torch"))
    assert not decoded
    assert run.history[-1]["val_acc"] == pytest.approx(found.row(found.best).score)


@pytest.mark.long
def test_the_stages_of_a_network_are_ranked_like_another_network(dishes, decoded):
    found = ranked(dishes, backbones=["bundled:nae", "bundled:nae:multi"])
    assert {row.name for row in found.rows if row.parts == 1} == {"bundled:nae", "bundled:nae:multi"}
    assert found.row("bundled:nae:multi").parameters == found.row("bundled:nae").parameters
    decoded.clear()
    data = tg.load(dishes)
    run = tg.fit(tg.Classifier(found.best, classes=data.classes), data, features=tg.FeatureSettings(engine="torch"))
    assert run.table.computed == 0
    assert not decoded


@pytest.mark.long
def test_one_network_under_two_names_is_not_put_together_with_itself(dishes, zoo):
    same = f"timm:test_efficientnet={zoo.parent / 'small.pth'}"
    found = ranked(dishes, TOGETHER, backbones=["small", same], zoo=zoo)
    assert all(row.parts == 1 for row in found.rows)
    assert {row.name.removesuffix(":multi") for row in found.rows} == {"small", same}


@pytest.mark.long
def test_networks_that_were_let_go_of_are_judged_and_fitted_as_if_they_had_stayed(dishes, zoo, monkeypatch):
    named = ["small", "smaller", "timm:test_vit=none"]
    first = ranked(dishes, backbones=named, zoo=zoo)
    monkeypatch.setenv("TSUGIKI_CACHE", str(zoo.parent / "another"))
    monkeypatch.setattr(search, "_MOST_AWAKE", 1)
    second = ranked(dishes, backbones=named, zoo=zoo)
    assert not any(row.found_again for row in second.rows)
    assert [(row.name, row.score) for row in second.rows] == [(row.name, row.score) for row in first.rows]
    assert second.to_decode == 0


def test_photos_that_cannot_be_cross_validated_in_part_are_all_judged_at_once(many, monkeypatch):
    data = tg.load(many)
    # Of each class half of the photos are one subject: few of them are easily of that one alone.
    groups = tuple(f"{name.split('/')[1]}{int(name[-6:-4]) // 15}" for name in data.names)
    groups = tuple(f"{group}-{split}" for group, split in zip(groups, data.splits, strict=True))
    monkeypatch.setattr(search, "_FEW", 2)
    monkeypatch.setattr(search, "_FEW_PER_CLASS", 1)
    monkeypatch.setattr(judging.Judge, "cost", lambda _, __, count: 100.0 if count > 2 else 0.0)
    found = ranked(replace(data, groups=groups), backbones=["bundled:nae"], settings=tg.RankSettings(budget=1000))
    assert found.rows[0].photos == 60
