"""The studio as people use it: by keyboard, by mouse, on a telephone, in both languages, and read aloud."""

import re
from collections import Counter

import pytest

from tests.reporting.browser import Reader, reading
from tests.serving.studio.steps import add_classes, enter, give_labels, rows_of, saved


def test_photos_are_labelled_by_the_keyboard_alone(reader, open_studio, lunch):
    server = open_studio(lunch)
    page = enter(reader, server)
    add_classes(page, "pizza", "sushi")
    for key in ("1", "2", "0", "1", "Home", "Shift+ArrowRight", "Shift+ArrowRight", "2"):
        page.keyboard.press(key)
    assert saved(page, server) == {"00.jpg": "sushi", "01.jpg": "sushi", "02.jpg": "sushi", "03.jpg": "pizza"}
    page.keyboard.press("Control+z")
    page.get_by_text("Undone", exact=True).wait_for()
    assert saved(page, server) == {"00.jpg": "pizza", "01.jpg": "sushi", "03.jpg": "pizza"}
    page.keyboard.press("Control+y")
    page.get_by_text("Done again", exact=True).wait_for()
    for key in ("End", "x"):
        page.keyboard.press(key)
    found = saved(page, server)
    assert found["02.jpg"] == "sushi"
    assert found["29.jpg"] == ""
    assert page.locator("#count").inner_text() == "4 of 30 have a class"


def test_a_click_a_range_and_a_class_give_labels(reader, open_studio, lunch):
    server = open_studio(lunch)
    page = enter(reader, server)
    add_classes(page, "pizza")
    page.locator("#photo-1").click()
    page.locator("#photo-4").click(modifiers=["Shift"])
    page.locator("#photo-8").click(modifiers=["ControlOrMeta"])
    page.get_by_role("button", name="pizza", exact=False).first.click()
    assert set(saved(page, server)) == {f"0{number}.jpg" for number in (1, 2, 3, 4, 8)}
    page.get_by_role("button", name="Rename or remove pizza").click()
    page.locator("#class-new-name").fill("<b>calzone</b>")
    page.keyboard.press("Enter")
    page.locator("#classes").get_by_text("<b>calzone</b>").wait_for()  # a name is text, whatever it holds
    page.locator("#photo-1 .tag").get_by_text("<b>calzone</b>", exact=True).wait_for()
    assert set(saved(page, server).values()) == {"<b>calzone</b>"}
    page.locator("#view").select_option("todo")
    page.locator("#photo-1").wait_for(state="hidden")
    assert page.locator(".cell:visible").count() == 25


def test_photos_are_dropped_pasted_and_chosen(reader, open_studio, lunch, tmp_path):
    server = open_studio(tmp_path / "nothing")
    page = enter(reader, server)
    assert page.get_by_text("No photo yet").is_visible()
    photos = sorted(lunch.iterdir())
    (tmp_path / "notes.jpg").write_text("no photo")
    page.set_input_files("#files", [str(photos[0]), str(tmp_path / "notes.jpg"), str(photos[1])])
    page.locator("#photo-1").wait_for()
    give = """(element, [content, kind, field]) => {
      const carried = new DataTransfer();
      carried.items.add(new File([new Uint8Array(content)], `${kind}.jpg`, { type: "image/jpeg" }));
      element.dispatchEvent(new (kind === "paste" ? ClipboardEvent : DragEvent)(kind, { [field]: carried, bubbles: true }));
    }"""
    for number, (kind, field) in enumerate((("drop", "dataTransfer"), ("paste", "clipboardData")), 2):
        page.locator("body").evaluate(give, [list(photos[number].read_bytes()), kind, field])
        page.locator(f"#photo-{number}").wait_for()
    assert len(list((tmp_path / "nothing.studio").iterdir())) == 4
    page.locator("#grid").focus()
    page.keyboard.press("Control+z")  # the pasted one is left out, and stays where it is kept
    page.locator("#photo-3 .tag.out").wait_for()
    page.keyboard.press("Control+y")
    page.locator("#photo-3 .tag.out").wait_for(state="detached")
    for left in ((3,), (2,), (0, 1)):  # those that were chosen together go together
        page.locator("#undo:enabled").click()
        for number in left:
            page.locator(f"#photo-{number} .tag.out").wait_for()
    assert page.locator("#undo").is_disabled()
    reader.faults = [fault for fault in reader.faults if "422" not in fault]  # the browser tells of the file that is no photo


def test_of_fifty_thousand_photos_those_in_sight_are_on_the_page(reader, open_studio, lunch, monkeypatch):
    from tsugiki.serving.studio.photo_set import PhotoSet

    take = PhotoSet._take

    def many(photos, folder, known):
        take(photos, folder, known)
        if photos.paths and len(photos) < 50_000:
            for number in range(50_000 - len(photos)):
                photos._append(photos.paths[number % 30], f"{number}.jpg")

    monkeypatch.setattr(PhotoSet, "_take", many)
    page = enter(reader, open_studio(lunch))
    assert page.locator("#count").inner_text() == "0 of 50000 have a class"
    assert page.locator(".cell").count() < 100
    page.keyboard.press("End")
    page.locator("#photo-49999").wait_for()
    assert page.locator("#photo-49999").get_attribute("aria-posinset") == "50000"
    page.keyboard.press("PageUp")
    page.mouse.wheel(0, -200_000)
    page.wait_for_timeout(200)
    assert page.locator(".cell").count() < 200


@pytest.mark.long
@pytest.mark.parametrize(("width", "scheme", "language"), [(390, "light", "ja"), (390, "dark", "en"), (1280, "dark", "ja")])
def test_every_room_fits_the_window_and_is_read_aloud(browser, open_studio, lunch, drawn, width, scheme, language):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    server = open_studio(lunch)
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True)
    try:
        page = context.new_page()
        page.goto(server.url)
        page.goto(server.url.partition("?")[0] + f"?lang={language}")
        page.wait_for_selector("html[data-ready]")
        assert page.locator("html").get_attribute("lang") == language
        add_classes(page, "pizza", "steak", "sushi")
        give_labels(page, drawn[1], range(15), ["pizza", "steak", "sushi"], wrong={4})
        page.keyboard.press("l")
        page.locator(".tag.proposed").first.wait_for()
        for room in ("photos", "cleaning", "choosing", "trying", "leaving"):
            page.locator(f'header a[href="#{room}"]').click()
            if room == "cleaning":
                page.locator("#doubts article").first.wait_for()
            if room == "trying":
                page.set_input_files("#try-file", str(lunch / "29.jpg"))
                page.locator("#answer[data-done]").wait_for()
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, room
            found = axe.run(page).response["violations"]
            assert not found, (room, [(one["id"], one["nodes"][0]["html"]) for one in found])
    finally:
        context.close()


@pytest.mark.long
def test_japanese_rooms_hold_no_english(browser, open_studio, lunch):
    server = open_studio(lunch)
    with reading(browser) as reader:
        page = reader.page
        page.goto(server.url)
        page.goto(server.url.partition("?")[0] + "?lang=ja")
        page.wait_for_selector("html[data-ready]")
        seen = []
        for room in ("photos", "cleaning", "choosing", "trying", "leaving"):
            page.locator(f'header a[href="#{room}"]').click()
            page.wait_for_timeout(100)
            seen += [text for text in reader.texts() if re.search(r"[a-z]{4}", text)]
        names = ("tsugiki", "English", "lunch", "ONNX", "bundled:nae")
        assert [text for text in seen if not any(name in text for name in names)] == []


@pytest.mark.long
def test_two_windows_see_each_others_decisions(browser, open_studio, lunch):
    server = open_studio(lunch)
    one, two = Reader(browser), Reader(browser)
    try:
        page, other = enter(one, server), enter(two, server)
        add_classes(page, "pizza")
        page.keyboard.press("1")
        other.get_by_text("1 of 30 have a class").wait_for()
        assert other.locator("#photo-0 .tag").inner_text() == "pizza"
        assert not one.faults + two.faults
    finally:
        one.context.close()
        two.context.close()


@pytest.mark.long
def test_learning_is_one_key_and_proposals_are_accepted_by_another(reader, open_studio, lunch, drawn):
    server, classes = open_studio(lunch), ["pizza", "steak", "sushi"]
    page = enter(reader, server)
    add_classes(page, *classes)
    assert page.locator("#accuracy:visible").count() == 0
    give_labels(page, drawn[1], range(15), classes)
    page.keyboard.press("l")
    page.locator("#accuracy:visible").wait_for()
    assert "of 15 training photos answered right" in page.locator("#learning-says").inner_text()
    page.locator("#photo-20 .tag.proposed").wait_for()
    proposed = page.locator("#photo-20 .tag.proposed").inner_text()
    assert proposed.rstrip("%")[-1].isdigit()
    page.locator("#order").select_option("next")
    page.keyboard.press("Escape")
    page.locator("#photo-20").click()
    page.keyboard.press("Enter")
    page.get_by_text("of 16 training photos answered right").wait_for()
    assert rows_of(server)["20.jpg"] in proposed
    page.locator("#curve polyline").wait_for(state="attached")
    page.keyboard.press("l")
    page.get_by_role("button", name="Learn", exact=False).wait_for()


@pytest.mark.long
def test_a_wrong_label_is_corrected_by_one_key(reader, open_studio, lunch, drawn):
    server, classes = open_studio(lunch), ["pizza", "steak", "sushi"]
    page = enter(reader, server)
    add_classes(page, *classes)
    give_labels(page, drawn[1], range(24), classes, wrong={5})
    page.keyboard.press("l")
    page.get_by_role("link", name="Cleaning").click()
    card = page.locator("#doubts article", has_text="05.jpg")
    card.wait_for()
    held = []

    def hold(route):
        held.append(route)

    page.route("**/api/cleaning", hold)
    while not held:
        page.locator("#look-again").click()
        page.wait_for_timeout(20)
    card.evaluate("one => { one.dataset.seen = 'yes'; one.focus(); }")
    with page.expect_response("**/api/cleaning"):
        held[0].continue_()
    page.wait_for_timeout(100)
    assert page.locator("#doubts article[data-seen]:focus").count() == 1  # not another one, when the answer comes late
    page.unroute("**/api/cleaning")
    page.keyboard.press("r")
    card.get_by_text("Decided: It is").wait_for()
    page.wait_for_selector("html:not([data-saving])")
    assert rows_of(server)["05.jpg"] == drawn[1]["05.jpg"]
    page.keyboard.press("Control+z")
    page.get_by_text("Undone", exact=True).wait_for()
    assert rows_of(server)["05.jpg"] != drawn[1]["05.jpg"]


def learned_page(reader, server, truth):
    """The page once it has learned from 15 photos."""
    page, classes = enter(reader, server), ["pizza", "steak", "sushi"]
    add_classes(page, *classes)
    give_labels(page, truth, range(15), classes)
    page.keyboard.press("l")
    page.locator("#accuracy:visible").wait_for()
    return page


@pytest.mark.long
def test_a_photo_is_tried_by_key_by_file_and_by_drop(reader, open_studio, lunch, drawn):
    page = learned_page(reader, open_studio(lunch), drawn[1])
    page.keyboard.press("End")
    page.keyboard.press("t")
    page.locator("#answer .near img").nth(4).wait_for()
    assert page.locator("#answer .answered").inner_text()
    assert page.locator("#answer figure img").count() == 2
    assert page.locator("#answer").get_by_text("(Grad-CAM)").is_visible()
    page.set_input_files("#try-file", str(lunch / "20.jpg"))
    page.locator("#answer[data-done]").wait_for()
    with page.expect_response("**/api/try?*") as dropped:
        page.locator("#room-trying").evaluate(
            """(element, content) => {
              const carried = new DataTransfer();
              carried.items.add(new File([new Uint8Array(content)], "a.jpg", { type: "image/jpeg" }));
              element.dispatchEvent(new DragEvent("drop", { dataTransfer: carried, bubbles: true }));
            }""",
            list((lunch / "21.jpg").read_bytes()),
        )
    assert dropped.value.ok
    page.locator("#answer[data-done]").wait_for()
    assert len(list(lunch.iterdir())) == 30


CAMERA = """
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d");
  setInterval(() => { pen.fillStyle = `hsl(${360 * Math.random()} 80% 50%)`; pen.fillRect(0, 0, 300, 150); }, 30);
  window.tracks = [];
  navigator.mediaDevices.getUserMedia = async () => {
    const stream = canvas.captureStream(30);
    window.tracks = stream.getTracks();
    return stream;
  };
"""
"""A camera that shows one colour after the other."""


@pytest.mark.long
def test_the_camera_is_asked_about_and_stops_when_one_leaves(reader, open_studio, lunch, drawn):
    reader.page.add_init_script(CAMERA)
    page = learned_page(reader, open_studio(lunch), drawn[1])
    page.get_by_role("link", name="Trying").click()
    page.get_by_role("button", name="Use the camera").click()
    page.locator("#answer .chances").wait_for()
    assert page.locator("#live").is_visible()
    assert page.evaluate("tracks.map(one => one.readyState)") == ["live"]
    page.get_by_role("link", name="Photos").click()
    page.get_by_role("link", name="Trying").click()
    assert page.locator("#live").is_hidden()
    assert page.evaluate("tracks.map(one => one.readyState)") == ["ended"]


@pytest.mark.long
def test_a_class_that_is_held_takes_photos_of_that_class(reader, open_studio, tmp_path):
    reader.page.add_init_script(CAMERA)
    server = open_studio(tmp_path / "nothing")
    page = enter(reader, server)
    add_classes(page, "mug", "plate")
    page.get_by_role("button", name="Camera", exact=True).click()
    while not page.locator("#taken-live").evaluate("live => live.videoWidth"):
        page.wait_for_timeout(20)
    page.keyboard.press("2")
    page.locator("#taking-says").get_by_text("1 taken").wait_for()
    page.keyboard.press(" ")
    page.locator("#taking-says").get_by_text("2 taken").wait_for()
    page.wait_for_timeout(300)  # another frame: a picture that is there already is no other one
    page.get_by_role("button", name="1 mug", exact=True).hover()
    page.mouse.down()
    page.locator("#taking-says").get_by_text("4 taken").wait_for()
    page.mouse.up()
    page.keyboard.press("Escape")
    while page.evaluate("tracks[0].readyState") != "ended":
        page.wait_for_timeout(20)
    page.wait_for_selector("html:not([data-saving])")
    labels = Counter(rows_of(server).values())
    assert labels["plate"] == 1
    assert labels["mug"] >= 1
    assert len(server.studio.photos) == labels.total() + 1  # one without a class
    assert page.locator(".tag", has_text="plate").count() == 1


def test_without_a_camera_that_is_said(reader, open_studio, lunch):
    reader.page.add_init_script("navigator.mediaDevices.getUserMedia = async () => { throw new Error('no camera'); };")
    page = enter(reader, open_studio(lunch))
    page.get_by_role("link", name="Trying").click()
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_text("There is no camera here").wait_for()
    page.get_by_role("link", name="Photos").click()
    page.get_by_role("button", name="Camera", exact=True).click()
    page.locator("#status").get_by_text("There is no camera here").wait_for()
    assert page.locator("#taking").is_hidden()


def test_an_enlarged_photo_is_labelled_and_the_next_one_shown(reader, open_studio, lunch):
    server = open_studio(lunch)
    page = enter(reader, server)
    add_classes(page, "pizza", "sushi")
    page.keyboard.press("o")
    caption = page.locator("#large .caption")
    assert caption.inner_text() == "00.jpg: no class"
    page.keyboard.press("2")
    assert caption.inner_text() == "01.jpg: no class"
    page.keyboard.press("ArrowLeft")
    assert caption.inner_text() == "00.jpg: sushi"
    page.keyboard.press("Escape")
    assert page.locator("#large").is_hidden()
    assert saved(page, server) == {"00.jpg": "sushi"}
