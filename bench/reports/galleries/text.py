"""Words on pictures."""


def short_name(name: str) -> str:
    """The first of a class's names, at most 20 characters."""
    head = name.partition(",")[0]
    return head if len(head) <= 20 else f"{head[:19]}…"
