"""The typed sections of the configuration, made known to Hydra."""

from hydra.core.config_store import ConfigStore

from bench.configs import DataConfig, EngineConfig, ModelConfig, Recipe, RuntimeConfig, TrackerConfig


def register_schemas() -> None:
    """Let Hydra check keys and types of these sections while it composes them."""
    store = ConfigStore.instance()
    store.store(group="model", name="schema", node=ModelConfig)
    store.store(group="data", name="schema", node=DataConfig)
    store.store(group="runtime", name="schema", node=RuntimeConfig)
    store.store(group="engine", name="schema", node=EngineConfig)
    store.store(group="recipe", name="schema", node=Recipe)
    store.store(group="tracker", name="schema", node=TrackerConfig)
