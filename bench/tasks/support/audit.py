"""The checks that the tasks on attribution maps share."""

from omegaconf import DictConfig

from bench.data import check_data
from bench.data.regions import check_regions
from bench.errors import ConfigurationError
from bench.explain import check_method
from bench.models import check_model
from bench.tasks.support.config import read_settings


def check_audit(config: DictConfig) -> None:
    """Refuse images, models, regions and methods that do not exist.

    Raises:
        ConfigurationError: naming what does not exist, with the nearest valid names.
    """
    settings = read_settings(config)
    check_data(settings.data)
    check_model(settings.model)
    settings.runtime.check()
    if settings.data.regions is not None:
        check_regions(settings.data.regions)
    check_method(str(config.method))
    if int(config.images) < 1:
        raise ConfigurationError(f"images={config.images}: a gallery shows at least one")
