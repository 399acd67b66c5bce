"""Published weights before they are loaded: in a cache on this machine, or to be had from their hub, in seconds."""

import queue
import threading
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

import torch
from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
from timm.models import get_pretrained_cfg, load_model_config_from_hf

from bench.errors import ConfigurationError

WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
"""Where a repository has its weights, in the order in which timm looks for them."""
SECONDS_TO_ANSWER = 5.0
SECONDS_IN_ALL = 12.0
"""For both attempts; looking up the address has no time limit of its own."""
ATTEMPTS = 2
HUB_PREFIXES = ("hf-hub:", "hf_hub:")
INSTEAD = "give model.checkpoint=FILE or model.weights=random"


@dataclass(frozen=True)
class Repository:
    """A model of the Hugging Face hub."""

    name: str
    """``owner/model``."""
    revision: str | None = None
    """Branch, tag or commit; the main branch when left out."""

    def has_in_cache(self, files: Sequence[str]) -> bool:
        """Whether one of ``files`` is in the hub's cache on this machine."""
        found = (try_to_load_from_cache(self.name, file, revision=self.revision) for file in files)
        return any(isinstance(path, str) for path in found)


def in_hub_cache(name: str) -> bool:
    """Whether the weights of timm's ``name`` are in the hub's cache on this machine."""
    repository, files = _timm_repository(name)
    return repository is not None and repository.has_in_cache(files)


def check_published(name: str, *, weights: bool = True) -> None:
    """Refuse weights that are neither in a cache of this machine nor to be had from where they are published.

    Args:
        name: timm's, with or without a tag, or ``hf-hub:owner/model[@revision]``.
        weights: False where the network alone is needed: of ``hf-hub:`` names, its description.

    Raises:
        ConfigurationError: one line saying what was looked for, and where.
    """
    if name.startswith(HUB_PREFIXES):
        model_id = name.partition(":")[2]
        repository = read_repository(model_id)
        check_repository(name, repository, ["config.json"])
        if weights:
            described, _, _ = load_model_config_from_hf(model_id)
            check_repository(name, repository, _files(described.get("hf_hub_filename")))
    elif weights:
        timms, files = _timm_repository(name)
        published = get_pretrained_cfg(name)
        if timms is not None:
            check_repository(name, timms, files)
        elif published is not None and published.url:
            check_url(name, published.url)


def check_folder(name: str) -> None:
    """Refuse a ``local-dir:FOLDER`` that is no model.

    Raises:
        ConfigurationError: no such folder, or no ``config.json`` in it.
    """
    folder = Path(name.partition(":")[2])
    if not (folder / "config.json").is_file():
        raise ConfigurationError(f"model {name!r}: there is no {folder / 'config.json'}, which describes the network")


def _timm_repository(name: str) -> tuple[Repository | None, Sequence[str]]:
    """Where timm has the weights of ``name`` on the hub, if it has them there, and in which of which files."""
    published = get_pretrained_cfg(name)
    if published is None or not published.hf_hub_id or published.file:
        return None, ()
    return read_repository(str(published.hf_hub_id)), _files(published.hf_hub_filename)


def read_repository(model_id: str) -> Repository:
    """The repository that ``owner/model[@revision]`` names."""
    name, _, revision = model_id.partition("@")
    return Repository(name, revision or None)


def _files(named: str | None) -> Sequence[str]:
    return WEIGHT_FILES if named is None else (named, str(Path(named).with_suffix(".safetensors")))


def check_repository(name: str, repository: Repository, files: Sequence[str]) -> None:
    """Refuse a repository of which none of ``files`` is in the cache of this machine, nor to be had from the hub.

    Raises:
        ConfigurationError: one line saying what was looked for, and where.
    """
    if repository.has_in_cache(files):
        return
    what = f"model {name!r}: {repository.name} ({' or '.join(files)}) is not in the cache {constants.HF_HUB_CACHE}"
    if constants.HF_HUB_OFFLINE:
        raise ConfigurationError(f"{what}, and HF_HUB_OFFLINE is set; {INSTEAD}")
    try:
        found = any(_is_there(repository, file) for file in files)
    except RepositoryNotFoundError as error:
        kind = "needs a token that has been given access" if isinstance(error, GatedRepoError) else "has no such model"
        raise ConfigurationError(f"{what}, and {constants.ENDPOINT} {kind}; {INSTEAD}") from error
    except RevisionNotFoundError as error:
        message = f"{what}, and {constants.ENDPOINT} has no revision {repository.revision!r} of it; {INSTEAD}"
        raise ConfigurationError(message) from error
    except Exception as error:  # what the libraries below raise depends on their versions
        raise _no_answer(what, constants.ENDPOINT, error) from error
    if not found:
        raise ConfigurationError(f"{what}, and {constants.ENDPOINT} has no such file of it; {INSTEAD}")


def _is_there(repository: Repository, file: str) -> bool:
    url = hf_hub_url(repository.name, file, revision=repository.revision)
    try:
        _ask(lambda: get_hf_file_metadata(url, timeout=SECONDS_TO_ANSWER))
    except EntryNotFoundError:
        return False
    return True


def check_url(name: str, where: str | tuple[str, str]) -> None:
    """Refuse a file that is neither in torch's cache of this machine nor to be had from its address.

    Args:
        name: the model's, for messages.
        where: the address, or the address and the file's name in the cache.

    Raises:
        ConfigurationError: one line saying what was looked for, and where.
    """
    url, file = (where, Path(urlparse(where).path).name) if isinstance(where, str) else where
    cached = Path(torch.hub.get_dir()) / "checkpoints" / file
    if cached.is_file() or not url.startswith(("http://", "https://")):
        return
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310  # the scheme is checked above

    def head() -> None:
        with urllib.request.urlopen(request, timeout=SECONDS_TO_ANSWER):  # noqa: S310
            pass

    try:
        _ask(head)
    except Exception as error:
        raise _no_answer(f"model {name!r}: there is no {cached}", url, error) from error


def _no_answer(what: str, where: str, error: Exception) -> ConfigurationError:
    reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return ConfigurationError(f"{what}, and {where} does not answer ({reason[:200]}); {INSTEAD}")


def _ask(question: Callable[[], object]) -> None:
    """Ask at most twice, and within ``SECONDS_IN_ALL``: an answer that the hub has no such thing is an answer.

    Raises:
        TimeoutError: no answer in time.
        Exception: whatever ``question`` raises.
    """
    answers: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(_error_of(question)), daemon=True).start()
    try:
        error = answers.get(timeout=SECONDS_IN_ALL)
    except queue.Empty:
        raise TimeoutError(f"no answer in {SECONDS_IN_ALL:g} s") from None
    if error is not None:
        raise error


def _error_of(question: Callable[[], object]) -> Exception | None:
    error: Exception | None = None
    for _ in range(ATTEMPTS):
        try:
            question()
        except (EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError) as answer:
            return answer
        except Exception as failure:
            error = failure
        else:
            return None
    return error
