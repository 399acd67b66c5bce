"""The object of a class, cut out by colours that its saliency map seeds (Simonyan et al. 2014, section 3.2)."""

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

FOREGROUND, BACKGROUND = 0.95, 0.30
"""Quantiles of the saliency above which a pixel seeds the object, and below which it seeds the background."""
ITERATIONS = 5


def segment_by_saliency(image: Tensor, saliency: Tensor) -> NDArray[np.bool_]:
    """GrabCut (Rother et al. 2004) from the saliency's strongest and weakest pixels, undecided between them.

    Args:
        image: ``(3,H,W)`` uint8.
        saliency: ``(H,W)``, at least 0.

    Returns:
        ``(H,W)``, true on the object. All false where the map is flat: it says nothing about where the object is.
    """
    values = saliency.cpu().double().numpy()
    high, low = np.quantile(values, [FOREGROUND, BACKGROUND])
    if high <= low:
        return np.zeros(values.shape, dtype=np.bool_)
    mask = np.where(values > np.median(values), cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    mask[values >= high] = cv2.GC_FGD
    mask[values <= low] = cv2.GC_BGD
    models = np.zeros((1, 65)), np.zeros((1, 65))
    pixels = np.ascontiguousarray(image.permute(1, 2, 0).cpu().numpy()[..., ::-1])
    cv2.setRNGSeed(0)  # its colour models start from a random clustering
    cv2.grabCut(pixels, mask, (0, 0, 1, 1), *models, ITERATIONS, cv2.GC_INIT_WITH_MASK)
    inside: NDArray[np.bool_] = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD))
    return inside
