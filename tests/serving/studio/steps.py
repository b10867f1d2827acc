"""What people do in a studio, on its page and at its addresses."""

import csv
import time


def enter(reader, server):
    """The page, once it shows the photos."""
    reader.page.goto(server.url)
    reader.page.wait_for_selector("html[data-ready]")
    return reader.page


def add_classes(page, *names):
    """Type the names of classes."""
    page.keyboard.press("c")
    for number, name in enumerate(names, 1):
        page.keyboard.type(name)
        page.keyboard.press("Enter")
        page.locator("#classes li").nth(number - 1).wait_for()
    page.keyboard.press("Escape")


def give_labels(page, truth, rows, classes, wrong=()):
    """Label photos by keys, the first ones of the page; those in ``wrong`` falsely."""
    page.keyboard.press("Home")
    for row in rows:
        place = classes.index(truth[f"{row:02}.jpg"])
        page.keyboard.press(str((place + (row in wrong)) % len(classes) + 1))
    page.wait_for_selector("html:not([data-saving])")


def rows_of(server):
    """The table of decisions: label by the name of the file."""
    with server.studio.labels.table.open(encoding="utf-8-sig", newline="") as file:
        return {row["path"].rpartition("/")[2]: row["label"] for row in csv.DictReader(file)}


def saved(page, server):
    """Wait until what was decided on the page is on the disk."""
    page.wait_for_selector("html:not([data-saving])")
    return rows_of(server)


def label(studio, truth, rows):
    """Give photos their class, without the page."""
    for name in ("sushi", "steak", "pizza"):
        studio.labels.add_class(name)
    for row in rows:
        studio.labels.decide([row], label=truth[studio.photos.names[row]])


def begun(server, me):
    """Learn until there is something to write."""
    me.post("/api/learn")
    return until(server, lambda studio: studio.learner.learned is not None)


def until(server, ready):
    end = time.monotonic() + 120
    while not ready(server.studio):
        assert time.monotonic() < end, server.studio.going_on()
        time.sleep(0.05)
    return server.studio


def left(server, me, name, **how):
    assert me.post("/api/leave", {"name": name, **how}).status == 200
    studio = until(server, lambda studio: not studio.writer.told()["busy"])
    told = studio.writer.told()
    assert not told["problem"]
    return told["written"]
