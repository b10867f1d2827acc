"""How a step of fine-tuning is computed fast; what is computed stays the same.

``tuning`` chooses a way by timing, ``engine`` builds it: by ``prefix`` (the frozen layers' activations are stored), ``folding``
(of BatchNorm) and ``quickening`` (of parts that are slow in training: ``clipping``, ``depthwise``, ``gating``). The last three
exchange modules of the user's network by ``rewiring``, and prove that it answers as before.
"""
