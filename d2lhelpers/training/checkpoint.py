"""Keep a training on disk after each epoch, so that it goes on where it was stopped."""

import contextlib
import dataclasses
import hashlib
import json
import random
import weakref
from pathlib import Path

import numpy as np

from ..arguments import is_number, refuse
from ..files import locked, unusable, write_whole
from ..language import say
from ..runtime import mx
from .history import History, number
from .identity import differs, identity
from .run import Callback

FORMAT = 4  # 3 took one training for another; 2 had another seed for each epoch; 1 lost the state on several devices
KEPT = 2  # the newest checkpoints; older ones are deleted
_worked = weakref.WeakKeyDictionary()  # network -> folder -> identity before and after the last training here


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _text(record):
    return json.dumps(record, sort_keys=True, default=np.generic.item)


def _signed(record):
    """Return the record with the hash of all the rest of it."""
    return {**record, "sha256": hashlib.sha256(_text(record).encode()).hexdigest()}


def _pack(state, name, arrays):
    """Put the arrays of an optimizer's state, which may be nested, into a dictionary; return their names, nested."""
    if isinstance(state, (tuple, list)):
        return [_pack(part, f"{name}.{i}", arrays) for i, part in enumerate(state)]
    if state is None:
        return None
    arrays[name] = state
    return name


def _unpack(names, arrays):
    """Return the state that `_pack` took apart, as copies: each device has a state of its own."""
    if isinstance(names, list):
        return tuple(_unpack(part, arrays) for part in names)
    return None if names is None else arrays[names].copy()


class Checkpoint(Callback):
    """Keeps a training in a folder after each epoch; the same call goes on there, as if it had never been stopped.

    An epoch is `.params`, `.states` and, last of all, `.json` with the hashes of the other two: whatever a training
    that was killed had begun to write is ignored. The `.params` can be loaded with `net.load_parameters`. Nothing is
    pickled.

    What is damaged is refused and left alone, and so is what is of another training, in which anything differs that
    changes the result: only `num_epochs` may grow. Random generators are put back, not compared: MXNet's cannot be
    asked where it is, so what `set_seed` does before `train` shows only in weights that are drawn already.
    """

    order = 2  # after a `Cluster`, which says which of the processes this one is

    def __init__(self, folder):
        """Remember the folder, which is made when the training begins.

        Args:
            folder (str | pathlib.Path): where to keep the training.

        Raises:
            ValueError: it is no path.
        """
        try:
            self.root = Path(folder or None).expanduser()
        except (TypeError, RuntimeError):  # the latter for the home of somebody unknown
            refuse("folder", folder, "the path of a folder")

    # as a callback

    def check(self, run):
        """Refuse what is damaged or of another training, and a folder in use or in which nothing can be kept."""
        self.folder = self.root / f"worker-{run.rank}" if run.workers > 1 else self.root
        if reason := unusable(self.folder):
            sentence = "No checkpoint can be kept in {folder}: {reason}. Name another folder."
            raise ValueError(say(sentence, folder=self.folder, reason=reason))
        self.identity = identity(run)
        if (self.folder / "lock").exists():
            with self._alone():
                pass
        if newest := self._newest():
            self.identity = self._read(newest, run)["training"]

    def train_begin(self, run):
        """Go on after the newest epoch that all processes have."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lock = contextlib.ExitStack()
        self.lock.enter_context(self._alone())
        kept = run.sum_up(*(self._newest() if rank == run.rank else 0 for rank in range(run.workers)))
        if epoch := int(min(map(number, kept))):
            self._restore(epoch, run)

    def test_end(self, run):
        """Keep the epoch; where the disk is full, say so: the training goes on, and what was kept stays."""
        try:
            self._save(run)
        except OSError as error:
            sentence = "Epoch {epoch} could not be kept in {folder} ({error}); training goes on."
            print(say(sentence, epoch=len(run.history.loss), folder=self.folder, error=error))

    def train_end(self, run):
        """Leave the folder to others, and note how the training leaves the network: the same call may come again."""
        with contextlib.suppress(mx.base.MXNetError):  # after an error on the device, the weights may be unreadable
            _worked.setdefault(run.net, {})[self.folder] = self.identity, identity(run)
        self.lock.close()

    # what is kept

    @contextlib.contextmanager
    def _alone(self):
        try:
            with locked(self.folder / "lock", wait=False):
                yield
        except BlockingIOError:
            sentence = (
                "The folder {folder} is that of a checkpoint which another training uses now: wait, or name another "
                "folder."
            )
            raise ValueError(say(sentence, folder=self.folder)) from None

    def _path(self, epoch):
        return self.folder / f"epoch-{epoch:05}.json"

    def _records(self):
        return sorted(self.folder.glob(f"epoch-{'[0-9]' * 5}.json"))

    def _newest(self):
        """Return the number of the newest epoch that is kept; 0 without one."""
        return max((int(path.stem.removeprefix("epoch-")) for path in self._records()), default=0)

    def _refuse(self, path, reason):
        sentence = (
            "The checkpoint {path} {reason}. Nothing was trained or changed: give another folder as checkpoint, or "
            "delete this one."
        )
        raise ValueError(say(sentence, path=path, reason=reason))

    def _read(self, epoch, run):
        """Return the record of an epoch; refuse one that is damaged, of another training or of another version."""
        path = self._path(epoch)
        try:
            record = json.loads(path.read_text())
        except ValueError:
            self._refuse(path, say("is damaged (no JSON)"))
        if not isinstance(record, dict) or "format" not in record:
            self._refuse(path, say("was not written by d2lhelpers"))
        if record["format"] != FORMAT:
            sentence = "has format {format}, and this version of d2lhelpers reads {ours}"
            self._refuse(path, say(sentence, format=record["format"], ours=FORMAT))
        signature = record.pop("sha256", None)
        if _signed(record)["sha256"] != signature:
            self._refuse(path, say("is damaged (its content does not fit its hash)"))
        for name, sha256 in record["files"].items():
            file = self.folder / name
            if not file.exists() or _sha256(file) != sha256:
                state = say("is another") if file.exists() else say("is missing")
                self._refuse(path, say("is damaged ({name} {state})", name=name, state=state))
        worked = _worked.get(run.net, {}).get(self.folder, ({}, {}))
        if difference := differs(record["training"], self.identity, worked):
            self._refuse(path, say("is of another training: {difference}", difference=difference))
        return record

    def _restore(self, epoch, run):
        record, path = self._read(epoch, run), self._path(epoch)
        run.net.load_parameters(str(path.with_suffix(".params")), ctx=run.devices)
        states = path.with_suffix(".states")
        self._set_states(run, record["optimizer"], mx.nd.load(str(states)) if states.name in record["files"] else {})
        run.history = History(**record["history"])
        run.history.steps = [tuple(step) for step in run.history.steps]
        generators = record["generators"]
        mx.random.seed(generators["mxnet"])
        np.random.set_state(generators["numpy"])
        version, state, gauss = generators["python"]
        random.setstate((version, tuple(state), gauss))

    def _save(self, run):
        path, files, arrays = self._path(len(run.history.loss)), {}, {}
        # `Trainer.save_states` would pickle them.
        names, optimizer, updated = _names(run), run.optimizer, _updaters(run.trainer)[0].states
        states = {names[i]: _pack(state, names[i], arrays) for i, state in updated.items()}
        counts = optimizer._all_index_update_counts.values()  # a store may count each parameter on another GPU
        self._write(path.with_suffix(".params"), lambda partial: run.net.save_parameters(str(partial)), files)
        if arrays:
            self._write(path.with_suffix(".states"), lambda partial: mx.nd.save(str(partial), arrays), files)
        kind, keys, *position = np.random.get_state()
        record = {
            "format": FORMAT,
            "training": self.identity,
            "history": dataclasses.asdict(run.history),
            "optimizer": {
                "numbers": [_numbers(part) for part in (optimizer, optimizer.lr_scheduler)],
                "counts": {names[i]: max(count.get(i, 0) for count in counts) for i in updated},
                "states": states,
            },
            "generators": {"mxnet": run.seed, "numpy": [kind, keys.tolist(), *position], "python": random.getstate()},
            "files": files,
        }
        self._write(path, lambda partial: partial.write_text(_text(_signed(record))), {})
        for old in self._records()[:-KEPT]:
            for suffix in (".json", ".params", ".states"):
                old.with_suffix(suffix).unlink(missing_ok=True)

    def _write(self, path, write, files):
        """Write a file, and note its hash."""
        try:
            write_whole(path, write)
        except mx.base.MXNetError as error:
            raise OSError(str(error).strip().splitlines()[-1]) from error
        files[path.name] = _sha256(path)

    def _set_states(self, run, record, arrays):
        optimizer = run.optimizer
        for part, numbers in zip((optimizer, optimizer.lr_scheduler), record["numbers"], strict=True):
            for name, value in numbers.items():
                setattr(part, name, value)
        for device in run.trainer._contexts:
            optimizer._set_current_context(device.device_id)  # makes this device's table of counts
        updaters = _updaters(run.trainer)
        for index, name in _names(run).items():
            for counts in optimizer._all_index_update_counts.values():
                if name in record["counts"]:
                    counts[index] = record["counts"][name]
            for updater in updaters:
                if name in record["states"]:
                    updater.states[index] = _unpack(record["states"][name], arrays)
                    updater.states_synced[index] = False  # it is moved to the weight's device when it is used


def _numbers(part):
    """Return the numbers of an optimizer or a scheduler: the count of updates, and whatever else moves with them."""
    return {name: value for name, value in getattr(part, "__dict__", {}).items() if is_number(value)}


def _names(run):
    """Return the parameters' names by the numbers that the trainer gives them.

    The numbers follow from names such as `dense9_weight` and `dense10_weight`, which count all layers ever made.
    """
    names = {id(parameter): name for name, parameter in run.net._collect_params_with_prefix().items()}
    return {i: names.get(id(parameter), parameter.name) for i, parameter in enumerate(run.trainer._params)}


def _updaters(trainer):
    """Return what holds the optimizer's state: the one updater of the store, or one for each device."""
    if not trainer._kv_initialized:
        trainer._init_kvstore()
    return [trainer._kvstore._updater] if trainer._update_on_kvstore else trainer._updaters
