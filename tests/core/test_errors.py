"""One family of errors: its drawing is true, every message has one grammar, and errors survive a trip between processes."""

import copy
import pickle
import re

import pytest

from tsugiki.core import errors
from tsugiki.core.errors import RequestError, TsugikiError, UnknownName, UnreadablePhoto
from tsugiki.locale.messages import use_language


def _family(kind):
    yield kind
    for child in kind.__subclasses__():
        yield from _family(child)


FAMILY = [kind for kind in _family(TsugikiError) if kind.__module__ == errors.__name__]


def _drawn(docstring):
    """``{name: parent}`` as the tree in the docstring draws it."""
    above, parents = [], {}
    for line in docstring.splitlines():
        found = re.match(r"^    ([│├└─ ]*)([A-Z]\w+)\s", line)
        if found and (found[1] or found[2] == "TsugikiError"):
            depth = len(found[1]) // 4
            del above[depth:]
            parents[found[2]] = above[-1] if above else "Exception"
            above.append(found[2])
    return parents


def test_the_drawn_tree_is_the_real_one():
    assert _drawn(errors.__doc__) == {kind.__name__: kind.__base__.__name__ for kind in FAMILY}


@pytest.mark.parametrize("kind", FAMILY, ids=lambda kind: kind.__name__)
def test_a_request_that_made_no_sense_leaves_with_2_and_work_that_failed_with_1(kind):
    assert kind.exit_status == (2 if issubclass(kind, RequestError) else 1)


@pytest.mark.parametrize(
    "error",
    [
        UnreadablePhoto("cut off", allowed="whole files", got="half", cure="copy it again"),
        UnknownName("There is no resnet19.", name="resnet19", known=["resnet18", "vgg16"], cure="look"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("trip", [lambda error: pickle.loads(pickle.dumps(error)), copy.deepcopy])  # noqa: S301 (our own)
def test_errors_survive_a_trip(error, trip):
    back = trip(error)
    assert type(back) is type(error)
    assert (str(back), back.what, back.allowed, back.got, back.cure) == (
        str(error),
        error.what,
        error.allowed,
        error.got,
        error.cure,
    )


def test_what_allowed_got_next_in_this_order_and_only_what_is_there():
    assert str(TsugikiError("Wrong.", allowed="a", got="b", cure="c")) == "Wrong.\n  allowed: a\n  got: b\n  next: c"
    assert str(TsugikiError("Wrong.", cure="c")) == "Wrong.\n  next: c"
    assert str(TsugikiError("Wrong.")) == "Wrong."


def test_the_grammar_speaks_japanese():
    use_language("ja")
    assert str(TsugikiError("だめです。", allowed="a", got="b", cure="c")) == (
        "だめです。\n  使えるもの: a\n  受け取ったもの: b\n  次にすること: c"
    )


def test_an_unknown_name_is_answered_with_the_nearest_and_nothing_far_fetched():
    near = UnknownName("?", name="resnet19", known=["resnet18", "resnet152", "vgg16"])
    assert "resnet18" in near.allowed
    assert "vgg16" not in near.allowed
    assert UnknownName("?", name="xyzzy", known=["resnet18"]).allowed == "resnet18"  # so few can all be named
    assert UnknownName("?", name="xyzzy", known=[f"resnet{number}" for number in range(100)]).allowed == ""
