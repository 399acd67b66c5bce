"""Fast minimum norm attack in L2 (Pintor et al. 2021, arXiv:2102.12827), with the projection foolbox 3.3.4 lost."""

from eagerpy.tensor.tensor import Tensor as EagerTensor
from foolbox.attacks.fast_minimum_norm import L2FMNAttack
from foolbox.devutils import atleast_kd, flatten


class ProjectedL2FMNAttack(L2FMNAttack):
    """Foolbox's L2 FMN, projecting onto the current epsilon ball.

    Foolbox divides the norm by itself where the paper divides epsilon by the norm, so its own attack never comes
    closer than its first steps: 60 times too far on a linear classifier.
    """

    def project(self, x: EagerTensor, x0: EagerTensor, epsilon: EagerTensor) -> EagerTensor:
        """``x`` pulled back onto the L2 ball of radius ``epsilon`` ``(n,)`` around ``x0``."""
        delta = x - x0
        norms = flatten(delta).norms.l2(axis=-1).maximum(1e-12)
        pulled: EagerTensor = x0 + delta * atleast_kd((epsilon / norms).minimum(1.0), x.ndim)
        return pulled
