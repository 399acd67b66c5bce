# ruff: noqa: E501  # the ways are a table
"""Every way in which a sweep can go wrong: how a test provokes it, its exit code and its last line.

``python tests/tasks/ways_to_fail.py`` prints them as the table of docs/reliability.md.
"""

import errno
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import torch

from bench.models import hub
from bench.sweep import dispatch
from bench.sweep.messages import Broken, Ready
from bench.tasks import evaluate
from bench.tasks.support import job

FULL = OSError(errno.ENOSPC, "No space left on device")
TRIED_AGAIN = "All else is stored, and the same command tries these again"
CELL = "1 of 1 cells of test_resnet (random)"


@dataclass(frozen=True)
class Way:
    """One thing that goes wrong."""

    when: str
    part: str
    what: str
    code: int
    last: str
    """The last line on standard error; ``...`` is whatever else it says, ``DIR`` the test's folder."""
    overrides: tuple[str, ...] = ()
    provoke: Callable = lambda place, patch: None
    """Given the test's folder and pytest's monkeypatch."""

    @property
    def several(self) -> bool:
        """Whether it goes wrong in a sweep over jobs; half of the others are tried in a single job, which is faster."""
        return self.part not in ("engine", "tracker", "classifier") or any("," in item for item in self.overrides)


def missing(what: str) -> str:
    return f"snowwolf: missing: {what}. {TRIED_AGAIN}"


def a_file(place, patch):
    (place / "file").write_text("no folder, no picture, no weights")


def an_image(place, name="0/image.jpg"):
    from foolbox import __file__ as foolbox

    path = place / "images" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(next((Path(foolbox).parent / "data").glob("imagenet_00_*.jpg")).read_bytes())


def no_package(name):
    """As if the package were not installed."""

    def provoke(place, patch):
        find = importlib.util.find_spec
        patch.setattr(importlib.util, "find_spec", lambda wanted, *a: None if wanted == name else find(wanted, *a))
        patch.setitem(sys.modules, name, None)

    return provoke


def no_hub(*, offline):
    def provoke(place, patch):
        patch.setattr(hub.constants, "HF_HUB_CACHE", str(place / "hub"))
        patch.setattr(hub.constants, "HF_HUB_OFFLINE", offline)
        patch.setattr(hub.constants, "ENDPOINT", "http://127.0.0.1:9")
        template = "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"
        patch.setattr(hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)

    return provoke


def other_checkpoint(place, patch):
    torch.save({"some.weight": torch.zeros(1)}, place / "other.pth")


def image_folder(*names, empty=()):
    def provoke(place, patch):
        for name in names:
            an_image(place, name)
        for name in empty:
            (place / "images" / name).mkdir(parents=True)

    return provoke


def broken_image(place, patch):
    an_image(place, "0/whole.jpg")
    (place / "images" / "0" / "cut.jpg").write_text("no picture")


def raising(target: str, error: BaseException):
    """Something that raises whenever it is called."""

    def provoke(place, patch):
        def fail(*args, **kwargs):
            raise error

        patch.setattr(target, fail)

    return provoke


def failing_launcher(error: Exception):
    def provoke(place, patch):
        from hydra._internal.core_plugins.basic_launcher import BasicLauncher

        def fail(*args, **kwargs):
            raise error

        patch.setattr(BasicLauncher, "launch", fail)

    return provoke


def disk_full_after(n: int):
    """Room for ``n`` files in the store, the probe among them."""

    def provoke(place, patch):
        from bench.results.files import FileTree

        write, written = FileTree._write_once, []

        def limited(self, *args):
            if len(written) == n:
                raise FULL
            written.append(args)
            return write(self, *args)

        patch.setattr(FileTree, "_write_once", limited)

    return provoke


def nan_logits(place, patch):
    load = job.load_classifier

    def with_nan_weights(config):
        classifier = load(config)
        for parameter in classifier.parameters():
            parameter.data.fill_(float("nan"))
        return classifier

    patch.setattr(job, "load_classifier", with_nan_weights)


def after_the_job(do: Callable[[Path], None]):
    """Something happens between the job and the report."""

    def provoke(place, patch):
        run = evaluate.run

        def and_then(config):
            run(config)
            do(place)

        patch.setattr(evaluate, "run", and_then)

    return provoke


def no_job(place, patch):
    """A launcher that says its job is over, and the job never ran to its end."""
    patch.setattr(evaluate, "run", lambda config: None)


def full_for_summaries(place, patch):
    write = Path.write_text

    def limited(self, *args, **kwargs):
        if self.parent.name == "summaries":
            raise FULL
        return write(self, *args, **kwargs)

    patch.setattr(Path, "write_text", limited)


def cut_part(place):
    (part,) = (place / "store").rglob("0*.parquet")
    part.write_bytes(part.read_bytes()[:-100])


def cut_summary(place):
    (place / "out" / "summaries" / "0.json").write_text('{"classifier": "te')


def folder_in_the_way(place, patch):
    (place / "reports" / "default" / "leaderboard.csv").mkdir(parents=True)


class Workers:
    """One worker that says ``first`` when it is started and ``then`` when it is given units; or nothing, for hours."""

    size = 1

    def __init__(self, first, then, clock):
        self.first, self.then, self.clock, self.said = first, then, clock, []

    def start(self, worker):
        self.said = [self.first]

    def send(self, worker, lease):
        self.said = [self.then] if self.then else []

    def wait(self, seconds):
        self.clock[0] += 0 if self.said else 3700
        said, self.said = self.said, []
        return [(0, message) for message in said]

    def kill(self, worker):
        self.said = []

    def close(self):
        pass


def workers(first=None, then=None):
    def provoke(place, patch):
        clock = [0.0]
        patch.setattr(dispatch, "time", SimpleNamespace(monotonic=lambda: clock[0]))
        patch.setattr("bench.sweep.evaluate.open_pool", lambda *_: Workers(first or Ready(), then, clock))

    return provoke


def tracker_that_is_full(method: str):
    return raising(f"bench.tracking.jsonl.JsonLines.{method}", FULL)


FOLDER = ("data=folder", "data.root=DIR/images")
NO_MODEL = "model.weights=pretrained"
KILLED = "process 7 was ended by SIGKILL (out of memory?)"
NO_SPACE = "OSError: [Errno 28] No space left on device"
JSONL = ("tracker=jsonl", "tracker.folder=DIR/live")

WAYS = (
    Way("before", "configuration", "a misspelt key", 2, "snowwolf: unknown key 'data.limt': did you mean 'data.limit'...", ("data.limt=3",)),
    Way("before", "store", "a protocol that nothing here opens", 2, "snowwolf: store nosuch://x cannot be opened: Protocol not known: nosuch", ("store=nosuch://x",)),
    Way("before", "store", "S3 without s3fs", 2, "snowwolf: store s3://bucket/x cannot be opened: Install s3fs to access S3", ("store=s3://bucket/x",), no_package("s3fs")),
    Way("before", "store", "a file where its folder should be", 2, "snowwolf: store DIR/file/store cannot be made: DIR/file is a file", ("store=DIR/file/store",), a_file),
    Way("before", "report", "a file where its folder should be", 2, "snowwolf: the report cannot be written to DIR/file/default: DIR/file is a file; give reports=FOLDER", ("reports=DIR/file",), a_file),
    Way("before", "report", "an unknown export", 2, "snowwolf: unknown export 'pdf': ...", ("exports=[pdf]",)),
    Way("before", "tracker", "not installed", 2, "snowwolf: tracker=wandb needs the package: pip install 'snowwolf[wandb]'", ("tracker=wandb",), no_package("wandb")),
    Way("before", "launcher", "an unknown one", 2, "snowwolf: unknown hydra/launcher 'slrm': did you mean 'slurm'...", ("hydra/launcher=slrm",)),
    Way("before", "launcher", "one that cannot be imported", 2, "snowwolf: the launcher nowhere.Launcher cannot be used: ...", ("hydra.launcher._target_=nowhere.Launcher",)),
    Way("before", "engine", "an unknown one", 2, "snowwolf: unknown engine 'procesess': did you mean 'processes'...", ("engine=procesess",)),
    Way("before", "engine", "Ray is not installed", 2, "snowwolf: engine=ray needs ...pip install 'snowwolf[ray]'...", ("engine=ray",), no_package("ray")),
    Way("before", "classifier", "an unknown one, last of two", 2, "snowwolf: unknown model 'test_resnt': did you mean 'test_resnet'...", ("model.name=test_resnet,test_resnt",)),
    Way("before", "classifier", "a checkpoint that is none, last of two", 2, "snowwolf: checkpoint DIR/file.pth ...", ("model.checkpoint=null,DIR/file.pth",), lambda place, patch: (place / "file.pth").write_text("x")),
    Way("before", "classifier", "a checkpoint of another network", 2, "snowwolf: checkpoint DIR/other.pth does not fit ...", ("model.checkpoint=DIR/other.pth",), other_checkpoint),
    Way("before", "classifier", "weights that are on no disk, and HF_HUB_OFFLINE", 2, "snowwolf: model 'resnet18': timm/resnet18.a1_in1k (model.safetensors or pytorch_model.bin) is not in the cache DIR/hub, and HF_HUB_OFFLINE is set; give model.checkpoint=FILE or model.weights=random", ("model.name=resnet18", NO_MODEL), no_hub(offline=True)),
    Way("before", "classifier", "a hub that does not answer", 2, "snowwolf: model 'resnet18': ... is not in the cache DIR/hub, and http://127.0.0.1:9 does not answer (...); give model.checkpoint=FILE or model.weights=random", ("model.name=resnet18", NO_MODEL), no_hub(offline=False)),
    Way("before", "images", "no such folder", 2, "snowwolf: no folder at DIR/images...", FOLDER),
    Way("before", "images", "a folder without class folders", 2, "snowwolf: DIR/images has no class folders: expected DIR/images/<class>/<image>", FOLDER, lambda place, patch: (place / "images").mkdir()),
    Way("before", "images", "a class folder without images", 2, "snowwolf: class folder DIR/images/cat has no images: remove it, or fill it", FOLDER, image_folder("tench/a.jpg", empty=("cat",))),
    Way("before", "images", "class names that the classifier does not have", 2, "snowwolf: ...data.class_map=FILE...", FOLDER, image_folder("tench/a.jpg", "dragon/a.jpg")),
    Way("before", "images", "a tar that is none", 2, "snowwolf: DIR/file cannot be read as a tar file: ...", ("data=folder", "data.source=tar", "data.root=DIR/file"), a_file),
    Way("during", "images", "one does not decode", 1, missing("every cell of test_resnet (1 of 2 images of images do not decode: 0/cut.jpg (...). Mend them, or leave them out with data.on_error=skip)"), (*FOLDER, "data.label_space=imagenet"), broken_image),
    Way("during", "classifier", "NaN logits in every cell", 1, missing(f"{CELL} (clean clean@0: NonFiniteLogitsError: 2 of 2 images have NaN or Inf logits, e.g. ...)"), (), nan_logits),
    Way("during", "classifier", "an error that nobody thought of", 1, missing("every cell of test_resnet (RuntimeError: CUDA error: unspecified launch failure)"), (), raising("bench.tasks.support.job.load_classifier", RuntimeError("CUDA error: unspecified launch failure"))),
    Way("during", "store", "the disk is full", 1, missing("1 of 2 cells of test_resnet (random) (cannot write to DIR/store: No space left on device; what was stored before stands: fix that and run the same command again)"), ("benchmark=corruption", "benchmark.corruptions=[contrast]", "benchmark.severities=[1,2]"), disk_full_after(2)),
    Way("during", "store", "nobody may write to it", 1, missing(f"{CELL} (cannot write to DIR/store: Permission denied; ...)"), (), raising("bench.results.files.FileTree._write_once", PermissionError(errno.EACCES, "Permission denied"))),
    Way("during", "launcher", "it fails", 1, "snowwolf: RuntimeError: sbatch: error: invalid partition", (), failing_launcher(RuntimeError("sbatch: error: invalid partition"))),
    Way("during", "launcher", "its folder cannot be made", 1, "snowwolf: NotADirectoryError: [Errno 20] Not a directory: 'DIR/file/out'", ("hydra.sweep.dir=DIR/file/out",), a_file),
    Way("during", "launcher", "a job ends without a word (killed, out of time)", 1, missing("job 0 (it ended without a summary at DIR/out/summaries/0.json (FileNotFoundError: ...); its log says more)"), (), no_job),
    Way("during", "launcher", "a job cannot leave its summary", 1, missing("job 0 (it ended without a summary at DIR/out/summaries/0.json (...); its log says more)"), (), full_for_summaries),
    Way("during", "engine", "a worker dies again and again", 1, missing(f"{CELL} (clean clean@0: WorkerLost: {KILLED})"), ("engine=processes",), workers(then=Broken(KILLED))),
    Way("during", "engine", "a worker hangs again and again", 1, missing(f"{CELL} (clean clean@0: WorkerLost: no batch finished in 3600 s (engine.timeout))"), ("engine=processes",), workers()),
    Way("during", "engine", "no worker can start", 1, missing(f"{CELL} (no worker is left for 1 work units; the last one: OSError: no such device)"), ("engine=processes",), workers(first=Broken("OSError: no such device"))),
    Way("during", "tracker", "it does not open", 1, missing("live figures of test_resnet (random) (tracker=jsonl is not used: ...); the report in the tracker (...tracker=jsonl is not used: ...)"), ("tracker=jsonl", "tracker.folder=DIR/file"), a_file),
    Way("during", "tracker", "it breaks on the way", 1, missing(f"live figures of test_resnet (random) (tracker=jsonl stopped: {NO_SPACE})"), JSONL, tracker_that_is_full("log")),
    Way("during", "user", "Ctrl-C", 130, "snowwolf: stopped. Finished chunks are stored; the same command goes on from there.", (), raising("bench.tasks.support.job.load_classifier", KeyboardInterrupt())),
    Way("after", "report", "the disk is full", 1, missing(f"the report ({NO_SPACE})"), (), raising("bench.tasks.report.write_report", FULL)),
    Way("after", "report", "a file of it cannot be written", 1, missing("the report (IsADirectoryError: ...DIR/reports/default/leaderboard.csv...)"), (), folder_in_the_way),
    Way("after", "report", "every cell failed, and the disk is full", 1, missing(f"{CELL} (clean clean@0: NonFiniteLogitsError: ...); the report ({NO_SPACE})"), (), lambda place, patch: (nan_logits(place, patch), raising("bench.tasks.report.write_report", FULL)(place, patch))),
    Way("after", "store", "a part is damaged", 1, missing("the report (...DIR/store/...)"), (), after_the_job(cut_part)),
    Way("after", "tracker", "it does not take the report", 1, missing(f"the report in the tracker (the report is written, and the tracker lacks some of it: tracker=jsonl stopped: {NO_SPACE})"), JSONL, tracker_that_is_full("table")),
    Way("after", "launcher", "a job's summary is cut", 1, missing("job 0 (it ended without a summary at DIR/out/summaries/0.json (JSONDecodeError: ...); its log says more)"), (), after_the_job(cut_summary)),
)  # fmt: skip


def table() -> str:
    """The ways in Markdown."""
    rows = [f"| {way.when} | {way.part} | {way.what} | {way.code} | `{way.last}` |" for way in WAYS]
    return "\n".join(["| when | where | what goes wrong | exit code | last line |", "|---|---|---|---|---|", *rows])


if __name__ == "__main__":
    print(table())
