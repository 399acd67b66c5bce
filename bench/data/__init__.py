"""Images and labels: sources, label spaces, and the cache of decoded crops."""

from bench.configs import DataConfig
from bench.data.config import check_data, check_labels, label_kind_of, load_dataset
from bench.data.crop import CropRecipe
from bench.data.crops import Crops, open_crops
from bench.data.dataset import Dataset
from bench.data.label_spaces import LabelSpace
from bench.data.source import DataSource, dataset_name
from bench.data.sources import register_data_source

__all__ = [
    "CropRecipe",
    "Crops",
    "DataConfig",
    "DataSource",
    "Dataset",
    "LabelSpace",
    "check_data",
    "check_labels",
    "dataset_name",
    "label_kind_of",
    "load_dataset",
    "open_crops",
    "register_data_source",
]
