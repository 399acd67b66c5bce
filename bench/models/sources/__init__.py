"""Where classifiers come from: one module per source, registered under the prefix of ``model.name`` that chooses it."""

from bench.models.source import register_model_source
from bench.models.sources import exported, huggingface, onnx, open_clip, python, robustbench, timm, torchvision

register_model_source("timm", timm.SOURCE)
register_model_source("torchvision", torchvision.SOURCE)
register_model_source("hf", huggingface.SOURCE)
register_model_source("openclip", open_clip.SOURCE)
register_model_source("robustbench", robustbench.SOURCE)
register_model_source("python", python.SOURCE)
register_model_source("onnx", onnx.SOURCE)
register_model_source("export", exported.SOURCE)
