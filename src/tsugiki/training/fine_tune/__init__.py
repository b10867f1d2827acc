"""Fine-tuning: all layers learn, starting from the head that was fitted on stored features.

Read it top-down: ``run`` (one fine-tuning from start to end) -> ``loop`` (phases, epochs, steps, parts of steps) -> what a loop
needs: ``settings``, ``groups`` (which layers learn, how fast), ``schedule``, ``ema``, ``checkpoints``; ``tuning`` (the fastest
way of computing a step here) with ``rewiring``, ``folding``, ``depthwise`` and ``prefix``; and what comes after: ``verdict``,
``auto``. ``lr_range`` looks for a learning rate.
"""
