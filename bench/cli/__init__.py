"""The command ``snowwolf``: composing and checking Hydra configuration, help, messages and exit codes.

Nothing here imports torch, timm, pandas or a plotting library before a task asks for it.
"""
