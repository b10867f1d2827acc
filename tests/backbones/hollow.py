"""Networks without numbers: the largest architecture is built in a moment, and shapes flow through it all the same."""

import torch
from torch.overrides import TorchFunctionMode


class Hollow(TorchFunctionMode):
    """Within this block new parameters are made on the meta device.

    Only ``torch.empty``, of which layers are made, is turned aside: some builders compute with real tensors first.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is torch.empty:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


def hollow_network(source, name):
    """The network of a plan with default weights, on the meta device, and the plan's preprocessing."""
    plan = source.plan(name, "", {})
    with Hollow():
        network = source.build(plan.name, plan.model_args)
    return network.to("meta").eval(), source.preprocess(plan)


def hollow_photos(preprocess, count=2):
    return torch.empty(count, 3, *preprocess.size, device="meta")
