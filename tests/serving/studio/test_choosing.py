"""Networks are compared on the photos as they are decided, one is taken, and what leaves is made with it."""

import shlex

import pytest

from tests.serving.studio.steps import add_classes, begun, enter, give_labels, label, left, until
from tsugiki.serving.studio import leaving

UNTRAINED = "timm:test_efficientnet=none"


def compared(server, me, seconds=None):
    assert me.post("/api/networks", {"seconds": seconds}).status == 200
    return until(server, lambda studio: not studio.choice.told()["busy"]).choice.told()


@pytest.mark.long
@pytest.mark.usefixtures("without_export")
def test_the_network_that_is_taken_looks_at_the_photos_and_leaves(open_studio, asking, lunch, drawn, run_cli, tmp_path):
    server = open_studio(lunch, named=(UNTRAINED,))
    me = asking(server)
    label(server.studio, drawn[1], range(24))
    begun(server, me)
    told = compared(server, me)
    assert not told["problem"]
    rows = {row["name"]: row for row in told["found"]["rows"]}
    assert {"bundled:nae", UNTRAINED} <= {*rows}
    assert [name for name, row in rows.items() if row["used"]] == ["bundled:nae"]
    assert [name for name, row in rows.items() if row["best"]] == [told["found"]["best"]]
    before = server.studio.learner.told()["curve"]

    assert me.post("/api/networks", {"use": UNTRAINED}).status == 200
    until(server, lambda studio: studio.learner.learned is not None and "test_efficientnet" in studio.learner.told()["network"])
    assert [row["name"] for row in server.studio.choice.told()["found"]["rows"] if row["used"]] == [UNTRAINED]
    until(server, lambda studio: studio.learner.told()["curve"])
    assert server.studio.learner.told()["curve"] != before  # a curve of one network is no curve of another one

    assert me.post("/api/networks", {"use": "bundled:nae"}).status == 200
    until(server, lambda studio: studio.learner.told()["network"] == "bundled:nae" and studio.learner.learned is not None)
    written = left(server, me, "taken")
    words = shlex.split(written["command"])
    again = tmp_path / "again"
    assert run_cli(*words[1 : words.index("--out")], "--out", again).returncode == 0
    assert (tmp_path / "runs" / "taken" / "weights.safetensors").read_bytes() == (again / "weights.safetensors").read_bytes()


@pytest.mark.long
def test_a_comparison_that_was_stopped_goes_on_and_repeats_nothing(open_studio, asking, lunch, drawn):
    server = open_studio(lunch, named=(UNTRAINED,))
    me = asking(server)
    label(server.studio, drawn[1], range(24))
    choice = server.studio.choice
    assert me.post("/api/networks", {"seconds": None}).status == 200
    assert me.post("/api/networks", {"seconds": 20}).status == 409
    until(server, lambda _: choice.told()["said"] or not choice.told()["busy"])  # one of them is judged
    assert me.post("/api/networks", {"stop": True}).status == 200
    until(server, lambda _: not choice.told()["busy"])
    assert choice.told()["stopped"]
    assert choice.told()["found"] is None
    told = compared(server, me)
    assert not told["stopped"]
    assert any(line.endswith("found again") for line in told["said"])
    assert all(row.found_again for row in choice._found.rows if row.name == "bundled:nae")


@pytest.mark.long
def test_a_network_that_cannot_be_named_is_said_to_be_missing(open_studio, asking, lunch, drawn):
    from tsugiki.backbones.load_backbone import load_backbone
    from tsugiki.serving.studio.learner import Network

    network = Network(
        lambda: load_backbone("timm:test_efficientnet", weights="none"), ("--weights", "none", "--model-arg", "a=1")
    )
    server = open_studio(lunch, network=network)
    me = asking(server)
    label(server.studio, drawn[1], range(24))
    begun(server, me)
    found = compared(server, me)["found"]
    assert not any(row["used"] for row in found["rows"])
    assert found["notes"][0] == "The network in use is not among those that were compared."


def test_what_is_no_choice_is_refused(open_studio, asking, lunch):
    server = open_studio(lunch)
    me = asking(server)
    for asked in ({}, {"seconds": 0}, {"seconds": "20"}, {"seconds": True}, {"seconds": 10**9}, {"stop": 1}, {"use": 3}):
        assert me.post("/api/networks", asked).status == 400, asked
    refused = me.post("/api/networks", {"use": "<b>resnet</b>"})
    assert refused.status == 404
    assert "was compared" in refused.json["error"]["what"]
    told = compared(server, me, 20)  # not one photo has a class
    assert told["problem"]
    assert told["found"] is None


@pytest.mark.long
@pytest.mark.usefixtures("without_export")
def test_fine_tuning_is_stopped_goes_on_and_tells_its_verdict(open_studio, asking, flat, monkeypatch):
    monkeypatch.setattr(leaving, "ENOUGH", 15)
    server = open_studio(flat)
    me = asking(server)
    begun(server, me)
    writer = server.studio.writer
    assert me.post("/api/leave", {"name": "tuned", "fine_tune": True}).status == 200
    unfinished = flat.parent / "runs" / "tuned.unfinished"
    until(server, lambda _: list(unfinished.glob("*/checkpoint.json")) or not writer.told()["busy"])
    assert me.post("/api/leave", {"stop": True}).status == 200
    until(server, lambda _: not writer.told()["busy"])
    assert writer.told()["stopped"]
    assert not (flat.parent / "runs" / "tuned").exists()
    assert list(unfinished.glob("*/checkpoint.json"))

    written = left(server, me, "tuned", fine_tune=True)
    assert any(line.startswith("Going on in epoch") for line in writer.told()["said"]), writer.told()["said"]
    assert not unfinished.exists()
    verdict, kept = written["fine_tuning"]
    assert "ine-tuning" in verdict
    assert kept.startswith("Kept:")
    assert "--method auto" in written["command"]


@pytest.mark.long
def test_who_compares_on_the_page_sees_which_is_recommended_and_takes_one(reader, open_studio, lunch, drawn):
    server, classes = open_studio(lunch, named=(UNTRAINED,)), ["pizza", "steak", "sushi"]
    page = enter(reader, server)
    add_classes(page, *classes)
    give_labels(page, drawn[1], range(24), classes)
    page.keyboard.press("l")
    page.locator("#accuracy:visible").wait_for()
    page.locator("#network a").click()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_role("button", name="Stop", exact=True).wait_for()
    page.locator("#compared tbody tr").first.wait_for(timeout=120_000)
    assert page.locator("#compared .best th").inner_text().endswith("recommended")
    page.get_by_role("button", name=f"Use {UNTRAINED}").click()
    page.locator("#network a").get_by_text("test_efficientnet").wait_for()
    page.locator("#compared tr", has_text=UNTRAINED).get_by_text("in use").wait_for()
    page.locator("#accuracy:visible").wait_for()
    page.get_by_role("link", name="Leaving").click()
    assert "--weights none" in page.locator("#command").inner_text()
    page.get_by_label("Fine-tune it, too").check()
    assert "--method auto" in page.locator("#command").inner_text()


@pytest.mark.long
@pytest.mark.usefixtures("without_export")
def test_the_page_goes_on_with_the_network_as_it_was_while_another_one_is_fine_tuned(open_studio, asking, flat, monkeypatch):
    from tsugiki.training import fit

    monkeypatch.setattr(leaving, "ENOUGH", 15)
    monkeypatch.setattr(fit, "prefers_fine_tuning", lambda _: True)
    server = open_studio(flat)
    me = asking(server)
    begun(server, me)
    backbone = server.studio.learner.features.backbone
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    photo = next(flat.rglob("*.jpg")).read_bytes()
    assert me.post("/api/leave", {"name": "tuned", "fine_tune": True}).status == 200
    until(server, lambda studio: studio.writer.told()["said"])
    assert me("POST", "/api/try", photo).status == 200  # nobody has to wait for a fine-tuning
    assert server.studio.writer.told()["busy"]
    until(server, lambda studio: not studio.writer.told()["busy"])
    assert server.studio.writer.told()["written"]["fine_tuning"]
    assert all((backbone.state_dict()[name] == tensor).all() for name, tensor in before.items())
