"""Memory that torch frees and wants back a moment later need not travel to the kernel and back."""

import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed blocks for reuse instead of returning each activation's pages to the kernel.

    On a CPU the page faults of fresh activations can cost more than the arithmetic on them.

    Returns:
        Whether the C library is one that has that setting.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, -1))
