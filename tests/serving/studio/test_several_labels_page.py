"""Several labels per photo on the page: keys toggle, Enter accepts a set, and what was labelled leaves as a classifier."""

import pytest

from tests.serving.studio.steps import add_classes, enter, saved
from tests.serving.studio.test_several_labels import DISHES


def tags(page, row, expected=None):
    """The labels that a photo shows; where they are expected, once it shows these or a few seconds later."""
    for _ in range(100):
        found = page.locator(f"#photo-{row} .tag").all_inner_texts()
        if expected is None or found == expected:
            break
        page.wait_for_timeout(50)
    return found


def settled_tags(page, studio, row):
    """The labels that are proposed for a photo, once everything that was decided has been learned and shown."""
    while studio.learner.told()["behind"]:
        page.wait_for_timeout(50)
    shown = None
    while shown != (shown := tags(page, row)):
        page.wait_for_timeout(1_500)
    return shown


def try_and_leave(page, photo):
    """Ask about a photo, and write the run."""
    page.get_by_role("link", name="Trying").click()
    page.set_input_files("#try-file", str(photo))
    page.locator("#answer .near img").first.wait_for()
    assert page.locator("#answer .chances dt").count() == 3
    assert page.locator("#answer").get_by_text("shown from").count() == 3
    page.get_by_role("link", name="Leaving").click()
    assert "--multi-label" in page.locator("#command").inner_text()
    page.get_by_role("button", name="Write the run").click()
    page.locator("#written a").wait_for(timeout=120_000)
    assert page.locator("#written .worth").inner_text().startswith("Mean average precision")


@pytest.mark.long
@pytest.mark.usefixtures("without_export")
def test_tables_with_several_dishes_become_a_classifier(reader, open_studio, meal, tables):
    import tsugiki as tg

    server = open_studio(meal, several=True)
    page, studio = enter(reader, server), server.studio
    add_classes(page, *DISHES)
    page.locator("#photo-0").click()
    for key in ("1", "2", "3", "2"):
        page.keyboard.press(key)
    assert saved(page, server) == {"00.jpg": "steak|sushi"}
    assert tags(page, 0, ["sushi", "steak"]) == ["sushi", "steak"]
    page.keyboard.press("Control+z")
    page.get_by_text("Undone", exact=True).wait_for()
    assert tags(page, 0, ["sushi", "pizza", "steak"]) == ["sushi", "pizza", "steak"]
    for number in ("1", "2", "3"):
        page.keyboard.press(number)
    assert saved(page, server) == {}
    page.keyboard.press("0")
    assert saved(page, server) == {"00.jpg": "|"}
    assert tags(page, 0, ["none of the classes"]) == ["none of the classes"]
    page.keyboard.press("Home")
    page.keyboard.press("0")  # taken back
    truth = {row: tables[1][f"{row:02}.jpg"] for row in range(30)}
    slip = next(row for row, shown in truth.items() if set(shown) == {"sushi"})
    for row, shown in ({**truth, slip: ()}).items():
        page.locator(f"#photo-{row}").click()
        for name in shown or ("",):
            page.keyboard.press(str(DISHES.index(name) + 1) if name else "0")
    assert {name: {*label.split("|")} - {""} for name, label in saved(page, server).items()} == {
        f"{row:02}.jpg": set() if row == slip else {*shown} for row, shown in truth.items()
    }
    page.locator("#count", has_text="30 of 36 are labelled").wait_for()
    page.keyboard.press("l")
    page.locator("#accuracy:visible").wait_for()
    assert page.locator("#learning-says").inner_text().startswith("Mean average precision")
    page.locator("#photo-34 .tag.proposed").first.wait_for()
    page.get_by_role("link", name="Cleaning").click()
    page.locator("#doubts article:focus").wait_for()  # who comes into the room is given its first card
    card = page.locator("#doubts article", has_text=studio.photos.names[slip]).filter(has_text="not labelled sushi")
    card.focus()
    page.keyboard.press("r")
    page.locator("#doubts").get_by_text("Decided: It shows sushi").wait_for()
    assert saved(page, server)[studio.photos.names[slip]] == "sushi"
    page.get_by_role("link", name="Photos").click()
    page.locator("#photo-34").click()
    proposed = [text.split(" ")[0] for text in settled_tags(page, studio, 34)]
    page.keyboard.press("Enter")
    label = saved(page, server)["34.jpg"]
    assert {*label.split("|")} - {""} == {*proposed} & {*DISHES}
    try_and_leave(page, meal / "33.jpg")
    assert tg.Classifier.load(studio.writer.written.run).task == "multi"
