"""Adversarial attacks: one call, ``run_attack``, for foolbox's attacks and our own, verified image by image."""

from bench.attacks.catalogue import register_attack
from bench.attacks.declaration import Declaration
from bench.attacks.result import AttackError, AttackResult
from bench.attacks.run import run_attack, run_attack_grid
from bench.attacks.spec import AttackSpec, attack_names

__all__ = [
    "AttackError",
    "AttackResult",
    "AttackSpec",
    "Declaration",
    "attack_names",
    "register_attack",
    "run_attack",
    "run_attack_grid",
]
