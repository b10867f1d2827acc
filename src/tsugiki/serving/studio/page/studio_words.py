"""Every word on the page of the studio, in the language in use; the script fills in what stays in braces."""

from __future__ import annotations

from tsugiki.locale.messages import tr


def room_words(*, several: bool = False) -> dict[str, str]:
    """What stands on the page from the beginning; ``several``: where a photo may have several labels."""
    if several:
        return room_words() | {
            "view_todo": tr("without a label"),
            "learning_none": tr("Give some photos their labels, then learn: from there on it follows every label."),
            "curve": tr("Mean average precision in percent against the number of labelled photos, with its 95% interval"),
            "cleaning_lead": tr("You decide, label by label. Arrows move, a letter decides; all can be undone."),
            "grid": tr("Photos; arrows move, digits give and take labels"),
        }
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
        "cleaning_lead": tr(
            "You decide, photo by photo. Arrows move, a letter or the digit of a class decides; all can be undone."
        ),
        "look_again": tr("Look again"),
        "network": tr("Network"),
        "choosing": tr("Choosing"),
        "choosing_title": tr("Which pretrained network?"),
        "choosing_lead": tr(
            "The networks whose weights are on this machine, judged on your photos by cross-validation; held-out "
            "ones have no say."
        ),
        "compare_time": tr("Time that it may take"),
        "seconds_20": tr("20 seconds"),
        "minutes_2": tr("2 minutes"),
        "no_limit": tr("as long as it takes"),
        "compare": tr("Compare"),
        "compared": tr("Networks that were compared"),
        "stop": tr("Stop"),
        "trying": tr("Trying"),
        "trying_title": tr("Try a photo"),
        "try_choose": tr("Choose a photo"),
        "try_drop": tr("Or drop one here, or paste one. It is asked about and not kept."),
        "camera": tr("Use the camera"),
        "camera_live": tr("What the camera sees"),
        "leaving": tr("Leaving"),
        "leaving_title": tr("Take it with you"),
        "leaving_lead": tr(
            "A run folder with its report, and ONNX files that were seen to answer the same. Nothing is sent away."
        ),
        "run_name": tr("Name of the run"),
        "write": tr("Write the run"),
        "fine_tune": tr("Fine-tune it, too, and keep what is better on photos that neither has learned from (minutes)"),
        "same_command": tr("The same without the studio"),
        "undo": tr("Undo"),
        "redo": tr("Redo"),
        "leave_out": tr("Leave out"),
        "keys_title": tr("Keys"),
        "add": tr("Add photos"),
        "add_folder": tr("Add a folder"),
        "take": tr("Camera"),
        "taking_title": tr("Take photos"),
        "taking_lead": tr(
            "A digit or a button takes a picture and gives it that class, held down one after the other; Space gives none. "
            "Pictures are kept beside your decisions and go nowhere else."
        ),
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


def script_words(*, several: bool = False) -> dict[str, str | list[list[str]]]:
    """What the script says; ``several``: where a photo may have several labels."""
    if several:
        return script_words() | {
            "count": tr("{labelled} of {count} are labelled", labelled="{labelled}", count="{count}"),
            "unlabelled": tr("no label yet"),
            "none_of_them": tr("none of the classes"),
            "looks_without": tr("{label}, but it does not look like it", label="{label}"),
            "looks_with": tr("not labelled {label}, but looks like it", label="{label}"),
            "shows": tr("It shows {label}", label="{label}"),
            "shows_not": tr("It does not show {label}", label="{label}"),
            "from": tr("shown from {chance}", chance="{chance}"),
            "no_accuracy": tr("What it is worth cannot be told yet: give more photos their labels."),
            "curve": tr(
                "Mean average precision {accuracy} with {photos} labelled photos", accuracy="{accuracy}", photos="{photos}"
            ),
            "keys": _keys(several=True),
        }
    return {
        "count": tr("{labelled} of {count} have a class", labelled="{labelled}", count="{count}"),
        "selected": tr("{count} selected", count="{count}"),
        "unlabelled": tr("no class"),
        "left_out": tr("left out"),
        "photo": tr("{name}: {label}", name="{name}", label="{label}"),
        "proposed": tr("{label}? ({chance})", label="{label}", chance="{chance}"),
        "labelled": tr("{count} photos: {label}", count="{count}", label="{label}"),
        "undone": tr("Undone"),
        "redone": tr("Done again"),
        "change_class": tr("Rename or remove {name}", name="{name}"),
        "added": tr("{count} photos added", count="{count}"),
        "taken": tr("{count} taken", count="{count}"),
        "without_class": tr("without a class"),
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
        "why_not_sure": tr("Less like the training photos than 95% of them, however high the probability."),
        "seen": tr("What the model sees"),
        "evidence": tr("What speaks for {label} ({method})", label="{label}", method="{method}"),
        "no_evidence": tr("Nothing in it speaks for {label} more than for the others", label="{label}"),
        "near": tr("The training photos most like it"),
        "asking": tr("Looking at it"),
        "camera": tr("Use the camera"),
        "camera_stop": tr("Stop the camera"),
        "no_camera": tr("There is no camera here, or it may not be used."),
        "compare": tr("Compare"),
        "recommended": tr("recommended"),
        "use": tr("Use it"),
        "use_network": tr("Use {name}", name="{name}"),
        "uses": tr("{name} looks at the photos now", name="{name}"),
        "in_use": tr("in use"),
        "go_on": tr("Go on"),
        "stopping": tr("Stopping"),
        "stopped_comparing": tr("Stopped. What was judged is kept: nothing is done twice."),
        "stopped_fine_tuning": tr("Stopped. Fine-tuning goes on from its last epoch under the same name."),
        "stopped_writing": tr("Stopped: nothing was written."),
        "write": tr("Write the run"),
        "report": tr("Open the report"),
        "run_folder": tr("Run folder"),
        "onnx": tr("ONNX"),
        "no_export": tr("Not exported"),
        "in_python": tr("In Python"),
        "same_command": tr("The same without the studio"),
        "copy": tr("Copy"),
        "copied": tr("Copied"),
        "learn": tr("Learn"),
        "pause": tr("Pause"),
        "no_accuracy": tr("What it is worth cannot be told yet: give each class two photos or more."),
        "seconds_left": tr("about {count} s left", count="{count}"),
        "minutes_left": tr("about {count} min left", count="{count}"),
        "curve": tr("{accuracy} right with {photos} labels", accuracy="{accuracy}", photos="{photos}"),
        "keys": _keys(),
    }


def _keys(*, several: bool = False) -> list[list[str]]:
    first = [
        ["1 – 9", tr("give the selected photos, or the current one, a class")],
        ["0", tr("no class: skip it")],
    ]
    if several:
        first = [
            ["1 – 9", tr("give the selected photos, or the current one, a label; take it away where they have it")],
            ["0", tr("none of the classes, or take that back")],
        ]
    return [
        *first,
        ["← ↑ → ↓", tr("move; with Shift select")],
        ["Space", tr("select or not")],
        ["Ctrl A / Esc", tr("select all / nothing")],
        ["L", tr("learn, or pause")],
        [
            "Enter",
            tr("accept the labels that are proposed; go on to the next photo") if several else tr("accept what is proposed"),
        ],
        ["C", tr("type a class")],
        ["X", tr("leave out, or take in again")],
        ["O", tr("enlarge; there, too, arrows move and digits give a class")],
        ["T", tr("try it: what does the classifier say of it, and why?")],
        ["Ctrl Z / Ctrl Y", tr("undo / do again")],
        ["?", tr("these keys")],
    ]
