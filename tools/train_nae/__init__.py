"""The recipe that made the bundled backbone nae: Tiny ImageNet and a teacher in, a small backbone out.

Run it from the repository's root::

    python -m tools.train_nae --data tiny-imagenet-200 --teacher mobilenetv2_100.safetensors --out nae.safetensors

One file per step, in the order in which data flows: ``photos`` -> ``teacher`` (its answers, once per photo) -> ``augment`` ->
``student`` (the backbone and its two heads) -> ``schedule`` -> ``training``.
"""
