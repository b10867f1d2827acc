"""Devices that exist, and seeds that give the same numbers again."""

import random
import threading

import numpy as np
import pytest
import torch

from tsugiki.core.devices import full_precision, pick_device, usable_cores
from tsugiki.core.errors import RequestError
from tsugiki.core.seeds import set_seeds


@pytest.mark.parametrize("name", [None, "auto", "cpu", torch.device("cpu")])
def test_a_device_of_this_machine(name):
    device = pick_device(name)
    assert torch.zeros(1, device=device).device.type == device.type


@pytest.mark.parametrize("name", ["gpu", "cpu:9", "meta", "cuda:99", ""])
def test_other_devices_are_refused_with_those_that_are_there(name):
    with pytest.raises(RequestError) as caught:
        pick_device(name)
    assert "cpu" in caught.value.allowed
    assert repr(name) in str(caught.value)


def test_at_least_one_core_may_be_used():
    assert usable_cores() >= 1


def test_full_precision_ends_with_its_block():
    before = torch.backends.cudnn.allow_tf32
    with full_precision():
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before


@pytest.mark.robust(
    "threads",
    case="`torch.set_float32_matmul_precision('high')` and TF32, in several threads",
    right="float32 means float32 inside; the person's settings come back when the last thread leaves",
)
@pytest.mark.parametrize("precision", ["highest", "high", "medium"])
def test_full_precision_is_that_of_matrix_products_too(precision):
    usual, flag = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision(precision)
    inside, leave = threading.Event(), threading.Event()

    def stay():
        with full_precision():
            inside.set()
            leave.wait(10)

    other = threading.Thread(target=stay)
    try:
        with full_precision():
            other.start()
            assert inside.wait(10)
            assert torch.get_float32_matmul_precision() == "highest"
            assert torch.backends.cuda.matmul.fp32_precision in {"none", "ieee"}
        assert torch.get_float32_matmul_precision() == "highest"  # the other one is still inside
        leave.set()
        other.join()
        assert torch.get_float32_matmul_precision() == precision
        assert torch.backends.cudnn.allow_tf32 == flag
    finally:
        leave.set()
        torch.set_float32_matmul_precision(usual)


def test_the_same_seed_gives_the_same_numbers_everywhere():
    def draw():
        return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: S311 (nothing is secret)

    set_seeds(7)
    first = draw()
    set_seeds(7)
    assert draw() == first
    set_seeds(8)
    assert not set(draw()) & set(first)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(RequestError):
        set_seeds(seed)


def test_every_way_of_asking_draws_with_one_seed():
    import inspect

    import tsugiki as tg
    from tsugiki.cli.audit import audit
    from tsugiki.cli.lr import TunedOptions
    from tsugiki.cli.options import MethodOptions
    from tsugiki.core.seeds import DEFAULT_SEED
    from tsugiki.data.samples import Samples
    from tsugiki.fine_tuning.settings import FineTuneSettings
    from tsugiki.heads.linear import HeadSettings

    ways = (
        tg.load,
        tg.audit,
        tg.set_seeds,
        Samples.from_listing,
        Samples.from_lists,
        audit,
        TunedOptions,
        HeadSettings,
        FineTuneSettings,
    )
    assert {inspect.signature(way).parameters["seed"].default for way in ways} == {DEFAULT_SEED}
    assert MethodOptions().seed_or_default() == DEFAULT_SEED
