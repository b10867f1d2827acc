"""Values are made plain, and everything wrong is refused at once."""

import numpy as np
import pytest
import torch

from tsugiki.core.errors import RequestError
from tsugiki.core.validation import Checks, is_number, is_whole, plain


def test_numbers_of_any_library_become_plain():
    checks = Checks()
    for value in (4, np.int64(4), np.uint8(4), torch.tensor(4), np.array(4)):
        assert type(checks.whole("n", value, 0)) is int
    for number in (1, 0.5, np.float32(0.5), torch.tensor(0.5)):
        assert type(checks.real("x", number, 0, 1)) is float
    assert checks.switch("on", np.True_) is True
    checks.refuse("never", cure="never")


@pytest.mark.parametrize("value", [True, np.False_, "3", None, [1], np.array([1]), float("nan"), float("inf"), 1j])
def test_what_is_no_number(value):
    assert not is_number(value)
    assert not is_whole(value)
    checks = Checks()
    checks.real("x", value, -9, 9)
    with pytest.raises(RequestError, match="a number, -9 to 9"):
        checks.refuse("no", cure="another")


def test_huge_numbers_are_compared_and_never_overflow():
    assert is_whole(10**400)
    assert not is_number(10**400)


def test_every_fault_is_told_with_what_would_be_right():
    checks = Checks()
    checks.whole("epochs", 1.5, 1)
    checks.switch("flip", "maybe")
    checks.choice("how", ["a"], ("a", "b"))
    with pytest.raises(RequestError) as caught:
        checks.refuse("This cannot work.", cure="leave it out")
    assert caught.value.allowed == "epochs: a whole number, 1 or more; flip: true or false; how: one of a, b"
    assert caught.value.got == "epochs=1.5, flip='maybe', how=['a']"
    assert caught.value.cure == "leave it out"


def test_text_is_left_as_it_is():
    assert plain("text") == "text"
