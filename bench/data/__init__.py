"""Images and labels: sources, label spaces, and the cache of decoded crops."""

from bench.data.config import DataConfig, check_data, label_space_of, load_dataset
from bench.data.crop import CropRecipe
from bench.data.crops import Crops, open_crops
from bench.data.dataset import Dataset

__all__ = ["CropRecipe", "Crops", "DataConfig", "Dataset", "check_data", "label_space_of", "load_dataset", "open_crops"]
