"""Real photographs laid out as the published shift sets are: the folders, index files and traps of each."""

import json
import shutil
from importlib.resources import files
from pathlib import Path

from PIL import Image

from bench.data.label_spaces import imagenet

SAMPLES = sorted(Path(str(path)) for path in (files("foolbox") / "data").iterdir() if path.name.startswith("imagenet_"))
NUMBERS = [int(path.stem.split("_")[2]) for path in SAMPLES]
"""ImageNet's class of each photograph."""
WNIDS = imagenet().class_names
V2 = "imagenetv2-matched-frequency-format-val"
OBJECTNET = {"folding_chair": ["Chair", [559, 423]], "vans": ["Car", [609, 656]], "birds_of_prey": ["Bird", [22]]}
"""Folder -> ObjectNet's label and ImageNet classes."""
IN9 = {"00_dog": (243, 251), "01_bird": (99, 22, 129), "02_wheeled vehicle": (609,), "05_insect": (317, 305)}
"""Folder -> ImageNet classes; as in the published set, folders are numbered."""
IMAGENET_D = {"chair": 559, "bottle_cap": 455, "dress_shoe_men": 630}
LAION_C = {"dog": (243,), "chair": (559,), "fruit": (949,), "bird": (129, 99, 22)}


def of_classes(numbers):
    return [path for path, number in zip(SAMPLES, NUMBERS, strict=True) if number in numbers]


def copy(path, folder, name=None):
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(path, folder / (name or path.name)))


def v2(root):
    """Folders 0 to 999 in the order of numbers; as text, 99 comes after 990."""
    for path, number in zip(SAMPLES, NUMBERS, strict=True):
        copy(path, root / V2 / str(number))


def by_wnid(root, folder, numbers=None):
    for path, number in zip(SAMPLES, NUMBERS, strict=True):
        if numbers is None or number in numbers:
            copy(path, root / folder / WNIDS[number])


def objectnet(root):
    """PNG files with a red border of two pixels, a folder that ImageNet does not have, and the mapping files."""
    for folder, (_, numbers) in OBJECTNET.items():
        for path in of_classes(numbers):
            _bordered(path, root / "objectnet-1.0" / "images" / folder)
    _bordered(SAMPLES[0], root / "objectnet-1.0" / "images" / "air_freshener")
    mappings = root / "objectnet-1.0" / "mappings"
    mappings.mkdir()
    titles = [f"{wnid}, {title}" for wnid, title in zip(WNIDS, imagenet().titles, strict=True)]
    shuffled = list(reversed(range(1000)))  # the published file has an order of its own
    (mappings / "imagenet_to_label_2012_v2").write_text("\n".join(titles[number] for number in shuffled) + "\n")
    lines = {str(number): shuffled.index(number) for number in range(1000)}
    (mappings / "pytorch_to_imagenet_2012_id.json").write_text(json.dumps(lines))
    labels = {folder: label for folder, (label, _) in OBJECTNET.items()} | {"air_freshener": "Air freshener"}
    (mappings / "folder_to_objectnet_label.json").write_text(json.dumps(labels))
    classes = {label: "; ".join(titles[number] for number in numbers) for label, numbers in OBJECTNET.values()}
    (mappings / "objectnet_to_imagenet_1k.json").write_text(json.dumps(classes))


def _bordered(path, folder):
    folder.mkdir(parents=True, exist_ok=True)
    image = Image.open(path).convert("RGB")
    framed = Image.new("RGB", (image.width + 4, image.height + 4), "red")
    framed.paste(image, (2, 2))
    framed.save(folder / f"{path.stem}.png")


def imagenet_9(root):
    for variant in ("original", "mixed_same", "mixed_rand"):
        for folder, numbers in IN9.items():
            for place, path in enumerate(of_classes(numbers)):
                if variant != "mixed_rand" or place == 0:  # variants may differ in number
                    copy(path, root / "bg_challenge" / variant / "val" / folder)
    groups = {number: int(folder[:2]) for folder, numbers in IN9.items() for number in numbers} | {
        36: 3,
        281: 4,
        402: 6,
        365: 7,
        0: 8,
    }
    mapping = {str(number): groups.get(number, -1) for number in range(1000)}
    (root / "in_to_in9.json").write_text(json.dumps(mapping))


def imagenet_d(root):
    for variant in ("background", "texture", "material"):
        for category, number in IMAGENET_D.items():
            copy(of_classes([number])[0], root / "ImageNet-D" / variant / category, f"{variant}.png")
    (root / "ImageNet-D" / "questions").mkdir()
    (root / "ImageNet-D" / "questions" / "background.csv").write_text("question\n")


def laion_c(root):
    for distortion in ("geometric_shapes", "vertical_lines"):
        for level in (1, 2):
            for folder, numbers in LAION_C.items():
                for path in of_classes(numbers)[:level]:
                    copy(path, root / "laion-c" / distortion / f"intensity_level_{level}" / folder)


def imagenet_hard(root):
    import datasets

    rows = {
        "image": [{"bytes": path.read_bytes(), "path": None} for path in SAMPLES[:8]],
        "label": [[3, number] if place % 2 else [number] for place, number in enumerate(NUMBERS[:8])],
    }
    features = datasets.Features(image=datasets.Image(), label=datasets.Sequence(datasets.Value("int64")))
    (root / "imagenet-hard" / "data").mkdir(parents=True)
    table = datasets.Dataset.from_dict(rows, features=features)
    table.to_parquet(root / "imagenet-hard" / "data" / "validation-00000-of-00001.parquet")


def imagenet_3dcc(root, names, corruptions):
    """Each image of 224 pixels, darker with every severity."""
    for corruption in corruptions:
        for severity in (1, 2, 3, 4, 5):
            for name in names:
                image = Image.open(SAMPLES[int(name.split("_")[1])]).convert("RGB").resize((224, 224))
                wnid = WNIDS[int(Path(name).stem.split("_")[2])]
                target = root / "ImageNet-3DCC" / corruption / str(severity) / wnid / f"{Path(name).stem}.JPEG"
                target.parent.mkdir(parents=True, exist_ok=True)
                image.point(lambda value, s=severity: value * (6 - s) // 6).save(target, "JPEG", quality=95)
