"""Common image corruptions: batched in torch, and the reference package they are compared with.

References:
    Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations",
    ICLR 2019. Michaelis et al., "Benchmarking Robustness in Object Detection", 2019 (the imagecorruptions package).
"""

from bench.corruptions.catalogue import (
    CORRUPTIONS,
    EXTRA_CORRUPTIONS,
    FAMILIES,
    SEVERITIES,
    corruption_names,
    register_corruption,
)

__all__ = ["CORRUPTIONS", "EXTRA_CORRUPTIONS", "FAMILIES", "SEVERITIES", "corruption_names", "register_corruption"]
