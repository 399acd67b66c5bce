"""Random draws that are the same on every device: Philox 4x32-10, and laws made of its words by exact steps.

A generator with a state draws one number after the other, and each device has its own. This one is a function of a key
(the seed) and a counter (the place of the number), so that a whole batch is one launch and no place needs another.

References:
    Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from bench.rng.laws import draw_integers, draw_normal, draw_scalars, draw_uniform, draw_words

__all__ = ["draw_integers", "draw_normal", "draw_scalars", "draw_uniform", "draw_words"]
