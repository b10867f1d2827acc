"""Fine-tuning: all layers learn, starting from the head that was fitted on stored features.

Read it top-down::

    run            one fine-tuning from start to end
    request        what is asked for: refused before anything is computed, and known again by its digest
    job            a request, understood: which layers, which photos, computed how
    loop           phases -> epochs -> steps -> parts of steps, with scoring after each epoch
    course, state  what stays the same meanwhile, and what changes (and goes into checkpoints)

What they need: ``settings``, ``dividing``, ``planning``, ``groups``, ``schedule``, ``randomness``, ``ema``, ``scores``,
``checkpoints``, ``inputs``, and ``computing``, the fastest way of a step. What comes after: ``cross_fitting``, ``calibrating``,
``verdict``, ``auto``. ``lr_range`` looks for a learning rate.
"""
