"""Seeds per image and condition, so that no outcome depends on batch, chunk, worker or device count."""

import hashlib


def derive_seed(*parts: str | int | float, bits: int = 63) -> int:
    """A seed in ``[0, 2**bits)`` derived from ``parts`` alone, equal on every machine and run.

    Args:
        parts: what the seed belongs to, e.g. ``(sweep_seed, condition.key, image_id)``. Order and type matter.
        bits: width of the seed; 32 for NumPy's legacy generator, 63 for torch.
    """
    text = "\x1f".join(f"{type(part).__name__}:{part!r}" for part in parts)
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> (64 - bits)
