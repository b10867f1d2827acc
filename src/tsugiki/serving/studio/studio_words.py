"""Every word on the page of the studio, in the language in use; the script fills in what stays in braces."""

from __future__ import annotations

from tsugiki.locale.messages import tr


def room_words() -> dict[str, str]:
    """What stands on the page from the beginning."""
    return {
        "rooms": tr("Rooms of the studio"),
        "photos": tr("Photos"),
        "title": tr("Photos become a classifier"),
        "classes": tr("Classes"),
        "new_class": tr("New class"),
        "new_class_hint": tr("Type a class, Enter"),
        "view": tr("Shown"),
        "view_all": tr("all photos"),
        "view_todo": tr("without a class"),
        "view_out": tr("left out"),
        "order": tr("Order"),
        "order_found": tr("as they lie there"),
        "order_next": tr("most worth a label first"),
        "order_doubt": tr("least sure first"),
        "learning": tr("Learning"),
        "learning_none": tr("Give some photos of each class their class, then learn: from there on it follows every label."),
        "learn": tr("Learn"),
        "curve": tr("Accuracy in percent against the number of labels, with its 95% interval"),
        "cleaning": tr("Cleaning"),
        "cleaning_title": tr("What looks wrong"),
        "cleaning_lead": tr("You decide, photo by photo. Arrows move, a letter decides; everything can be undone."),
        "look_again": tr("Look again"),
        "undo": tr("Undo"),
        "redo": tr("Redo"),
        "leave_out": tr("Leave out"),
        "keys_title": tr("Keys"),
        "add": tr("Add photos"),
        "add_folder": tr("Add a folder"),
        "grid": tr("Photos; arrows move, digits give a class"),
        "empty_title": tr("No photo yet"),
        "empty": tr("Drop photos or folders here, paste one, or choose some."),
        "kept_in": tr("Decisions are kept in {table}; your photos stay as they are.", table="{table}"),
        "close": tr("Close"),
        "rename": tr("Rename"),
        "remove": tr("Remove"),
        "name": tr("Name"),
        "photo_large": tr("The photo, enlarged"),
        "no_script": tr("The studio needs JavaScript."),
        "drop_here": tr("Drop to add"),
    }


def script_words() -> dict[str, str | list[list[str]]]:
    """What the script says."""
    return {
        "count": tr("{labelled} of {count} have a class", labelled="{labelled}", count="{count}"),
        "selected": tr("{count} selected", count="{count}"),
        "unlabelled": tr("no class"),
        "left_out": tr("left out"),
        "photo": tr("{name}: {label}", name="{name}", label="{label}"),
        "labelled": tr("{count} photos: {label}", count="{count}", label="{label}"),
        "undone": tr("Undone"),
        "redone": tr("Done again"),
        "change_class": tr("Rename or remove {name}", name="{name}"),
        "added": tr("{count} photos added", count="{count}"),
        "adding": tr("Adding {done} of {count}", done="{done}", count="{count}"),
        "unreadable": tr("{name}: {reason}", name="{name}", reason="{reason}"),
        "unreachable": tr("The studio does not answer. Does it still run?"),
        "not_sure": tr("not sure ({label}?)", label="{label}"),
        "suspects": tr("Doubtful labels"),
        "leaks": tr("Leaks: held-out photos with a twin among the others"),
        "copies": tr("Copies"),
        "odd": tr("Odd ones: unlike all others"),
        "looks_like": tr("{label}, but looks like {suggested}", label="{label}", suggested="{suggested}"),
        "exact_copy": tr("the same file"),
        "near_copy": tr("the same picture"),
        "is_odd": tr("{label}, far from all other photos", label="{label}"),
        "relabel": tr("It is {suggested}", suggested="{suggested}"),
        "is_right": tr("It is right"),
        "keep": tr("Keep"),
        "keep_both": tr("Keep both"),
        "leave_out": tr("Leave out"),
        "leave_second": tr("Leave the second out"),
        "decided": tr("Decided: {what}", what="{what}"),
        "nothing_wrong": tr("Nothing looks wrong."),
        "all_decided": tr("All decided."),
        "learn": tr("Learn"),
        "pause": tr("Pause"),
        "no_accuracy": tr("What it is worth cannot be told yet: give each class two photos or more."),
        "seconds_left": tr("about {count} s left", count="{count}"),
        "minutes_left": tr("about {count} min left", count="{count}"),
        "curve": tr("{accuracy} right with {photos} labels", accuracy="{accuracy}", photos="{photos}"),
        "keys": _keys(),
    }


def _keys() -> list[list[str]]:
    return [
        ["1 – 9", tr("give the selected photos, or the current one, a class")],
        ["0", tr("no class: skip it")],
        ["← ↑ → ↓", tr("move; with Shift select")],
        ["Space", tr("select or not")],
        ["Ctrl A / Esc", tr("select all / nothing")],
        ["L", tr("learn, or pause")],
        ["Enter", tr("accept what is proposed")],
        ["C", tr("type a class")],
        ["X", tr("leave out, or take in again")],
        ["O", tr("enlarge")],
        ["Ctrl Z / Ctrl Y", tr("undo / do again")],
        ["?", tr("these keys")],
    ]
