"""One small model per source, saved to disk as its library saves it, and the library's own way to classify images."""

import json
import textwrap
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision import transforms

from bench.configs import ModelConfig

NAMES = {0: "cat", 1: "dog", 2: "red fox"}
TEMPLATES = ["a photo of a {}.", "a drawing of the {}."]
SIDE = 64


@dataclass(frozen=True)
class Case:
    """A model on disk."""

    config: ModelConfig
    """What loads it."""
    classify: Callable[[Sequence[Image.Image]], Tensor]
    """Images of any size -> logits, by the source's library, its own preprocessing run by hand."""
    has_gradient: bool = True
    class_names: tuple[str, ...] = tuple(NAMES.values())


def photographs(count: int = 20) -> list[Image.Image]:
    """Real images, shipped with foolbox, cut so that no two have one shape."""
    paths = sorted(path for path in Path(str(files("foolbox") / "data")).glob("imagenet_*"))[:count]
    images = [Image.open(path).convert("RGB") for path in paths]
    return [
        image.crop((0, 0, image.width - 20 * (n % 4), image.height - 31 * (n % 3))) for n, image in enumerate(images)
    ]


def _seeded(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = make().eval()
        for module in network.modules():  # else logits of random networks hardly differ between images
            if isinstance(module, nn.Linear):
                module.weight.data.mul_(4)
    return network


def _by(network: nn.Module, transform: Callable[[Image.Image], Tensor]) -> Callable[[Sequence[Image.Image]], Tensor]:
    def classify(images: Sequence[Image.Image]) -> Tensor:
        with torch.no_grad():
            return network(torch.stack([transform(image) for image in images]))

    return classify


def timm_case(folder: Path) -> Case:
    import timm

    network = _seeded(lambda: timm.create_model("resnet10t", num_classes=3))
    save_file(network.state_dict(), folder / "own.safetensors")
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(network))
    config = ModelConfig(name="resnet10t", checkpoint=str(folder / "own.safetensors"), num_classes=3)
    return Case(config, _by(network, transform), class_names=())


def torchvision_case(folder: Path) -> Case:
    network = _seeded(lambda: torchvision.models.resnet18(weights=None))
    state = {f"module.{name}": value for name, value in network.state_dict().items()}
    torch.save({"epoch": 3, "best_acc1": torch.tensor(1.0), "state_dict": state}, folder / "best.pth.tar")
    weights = torchvision.models.ResNet18_Weights.IMAGENET1K_V1
    config = ModelConfig(name="torchvision:resnet18/IMAGENET1K_V1", checkpoint=str(folder / "best.pth.tar"))
    return Case(config, _by(network, weights.transforms()), class_names=("n01440764",))


def hf_case(folder: Path, kind: str) -> Case:
    import transformers as tf

    tower = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    view = {"image_size": SIDE, "patch_size": 16}
    labels = {"id2label": NAMES, "label2id": {name: column for column, name in NAMES.items()}}
    text = {**tower, "vocab_size": 50, "bos_token_id": 0, "eos_token_id": 1}
    square = {"size": {"height": SIDE, "width": SIDE}}
    networks: dict[str, Callable[[], Any]] = {
        "vit": lambda: tf.ViTForImageClassification(tf.ViTConfig(**tower, **view, **labels)),
        "convnext": lambda: tf.ConvNextForImageClassification(
            tf.ConvNextConfig(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], **labels)
        ),
        "swin": lambda: tf.SwinForImageClassification(
            tf.SwinConfig(embed_dim=12, depths=[1, 1], num_heads=[1, 2], image_size=SIDE, window_size=4, **labels)
        ),
        "clip": lambda: tf.CLIPForImageClassification(
            tf.CLIPConfig(vision_config={**tower, **view, "projection_dim": 16}, text_config=text, **labels)
        ),
    }
    processors = {
        "vit": lambda: tf.ViTImageProcessor(**square),
        "convnext": lambda: tf.ConvNextImageProcessor(size={"shortest_edge": SIDE}, crop_pct=0.875),
        "swin": lambda: tf.ViTImageProcessor(**square, image_mean=[0.485, 0.456, 0.406], image_std=[0.2, 0.3, 0.4]),
        "clip": lambda: tf.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=square["size"]),
    }
    network = _seeded(networks[kind])
    network.save_pretrained(folder / kind)
    processors[kind]().save_pretrained(folder / kind)
    processor = tf.AutoImageProcessor.from_pretrained(folder / kind, backend="pil")

    def classify(images: Sequence[Image.Image]) -> Tensor:
        with torch.no_grad():
            return network(processor(list(images), return_tensors="pt")["pixel_values"]).logits

    return Case(ModelConfig(name=f"hf:{folder / kind}"), classify)


CLIP = {
    "model_cfg": {
        "embed_dim": 24,
        "vision_cfg": {"image_size": SIDE, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
    },
    "preprocess_cfg": {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28]},
}


def openclip_case(folder: Path) -> Case:
    import open_clip

    (folder / "open_clip_config.json").write_text(json.dumps(CLIP))
    config = CLIP["model_cfg"]
    model = _seeded(lambda: open_clip.CLIP(config["embed_dim"], config["vision_cfg"], config["text_cfg"]))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    model.eval()
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")

    def classify(images: Sequence[Image.Image]) -> Tensor:
        """Radford et al. 2021, section 3.1: cosines with the mean of each class's prompts, times the scale."""
        with torch.no_grad():
            columns = []
            for name in NAMES.values():
                text = model.encode_text(tokenizer([template.format(name) for template in TEMPLATES]))
                mean = (text / text.norm(dim=1, keepdim=True)).mean(dim=0)
                columns.append(mean / mean.norm())
            features = model.encode_image(torch.stack([transform(image) for image in images]))
            features = features / features.norm(dim=1, keepdim=True)
            return model.logit_scale.exp() * features @ torch.stack(columns, dim=1)

    options = {"class_names": list(NAMES.values()), "templates": TEMPLATES, "cache_dir": str(folder / "heads")}
    return Case(ModelConfig(name=f"openclip:local-dir:{folder}", options=options), classify)


CODE = """
import torch
from torch import nn

def build(width, n_classes=3):
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, width, 5, stride=4), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, stride=2),
        nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, n_classes),
    )

class Answers(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = build(8)

    def forward(self, images):
        return {"logits": self.inner(images), "features": images.mean()}

def in_a_dict():
    return Answers()

def number():
    return 7
"""


def _little_network() -> nn.Module:
    scope: dict[str, Any] = {}
    exec(compile(textwrap.dedent(CODE), "little", "exec"), scope)
    with torch.random.fork_rng():
        return scope["build"](8).eval()


USUAL = transforms.Compose([transforms.Resize(round(SIDE / 0.875)), transforms.CenterCrop(SIDE), transforms.ToTensor()])
NORMALISED = transforms.Compose([USUAL, transforms.Normalize([0.5, 0.4, 0.3], [0.2, 0.25, 0.3])])
STATED = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.25, 0.3]}


def python_case(folder: Path) -> Case:
    (folder / "mine.py").write_text(CODE)
    name = f"python:{folder / 'mine.py'}:build"
    config = ModelConfig(name=name, options={"width": 8}, input_size=SIDE, **STATED)
    return Case(config, _by(_little_network(), NORMALISED), class_names=())


def to_onnx(network: nn.Module, path: Path, side: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, on its own parts
        names = {"input_names": ["images"], "output_names": ["logits"]}
        axes = {"images": {0: "batch"}, "logits": {0: "batch"}}
        example = (torch.rand(2, 3, side, side),)
        torch.onnx.export(network, example, path, dynamo=False, dynamic_axes=axes, **names)


def to_program(network: nn.Module, path: Path, side: int) -> None:
    batch = {0: torch.export.Dim("batch")}
    torch.export.save(torch.export.export(network, (torch.rand(2, 3, side, side),), dynamic_shapes=(batch,)), path)


def onnx_case(folder: Path) -> Case:
    network = _little_network()
    to_onnx(network, folder / "little.onnx", SIDE)
    config = ModelConfig(name=f"onnx:{folder / 'little.onnx'}", **STATED)
    return Case(config, _by(network, NORMALISED), has_gradient=False, class_names=())


def export_case(folder: Path) -> Case:
    network = _little_network()
    to_program(network, folder / "little.pt2", SIDE)
    config = ModelConfig(name=f"export:{folder / 'little.pt2'}", **STATED)
    return Case(config, _by(network, NORMALISED), has_gradient=False, class_names=())


CASES: dict[str, Callable[[Path], Case]] = {
    "timm": timm_case,
    "torchvision": torchvision_case,
    **{f"hf-{kind}": (lambda folder, kind=kind: hf_case(folder, kind)) for kind in ("vit", "convnext", "swin", "clip")},
    "openclip": openclip_case,
    "python": python_case,
    "onnx": onnx_case,
    "export": export_case,
}
