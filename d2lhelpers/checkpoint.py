"""Keep a training on disk after each epoch, so that it goes on where it was stopped."""

import dataclasses
import fcntl
import hashlib
import json
import os
from pathlib import Path

import numpy as np

from .history import History
from .runtime import mx

FORMAT = 2  # 1 took D2L_SEED for part of the seed, and on several devices lost the optimizer's state
KEPT = 2  # the newest checkpoints; older ones are deleted


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _signed(record):
    """Return the record with the hash of all the rest of it."""
    text = json.dumps(record, sort_keys=True, default=np.generic.item)
    return {**record, "sha256": hashlib.sha256(text.encode()).hexdigest()}


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


class Checkpoint:
    """The folder in which one training is kept: for each epoch `.params`, `.states` and, last of all, `.json`.

    An epoch counts when its `.json` is there, with the hashes of the other two: whatever a training that was killed
    had begun to write is ignored. The `.params` can be loaded with `net.load_parameters`. Nothing is pickled.
    """

    def __init__(self, folder, net, trainer, **run):
        """Take the folder, made if need be, for the training of `net` by `trainer`.

        Args:
            folder (str | pathlib.Path): where to keep it.
            net (mxnet.gluon.Block): an initialised network.
            trainer (mxnet.gluon.Trainer): its optimizer.
            **run: whatever else makes the training what it is, as values of JSON.

        Raises:
            ValueError: another training uses the folder at this moment.
        """
        self.folder, self.net, self.trainer, self.run = Path(folder).expanduser(), net, trainer, run
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lock = open(self.folder / "lock", "w")  # the system lets go of it even when the process is killed
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.lock.close()
            raise ValueError(
                f"checkpoint is {str(folder)!r}, which another training uses now: wait, or name another folder."
            ) from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lock.close()

    def _identity(self):
        """Return what must be the same for a training to be the same one."""
        optimizer = self.trainer.optimizer
        identity = {"optimizer": type(optimizer).__name__, "learning rate": optimizer.lr, "weight decay": optimizer.wd}
        identity["momentum"] = getattr(optimizer, "momentum", None)
        identity.update(self.run)
        for name, parameter in self.net._collect_params_with_prefix().items():
            identity[f"parameter {name}"] = [list(parameter.shape), parameter.grad_req]
        return identity

    def _refuse(self, path, reason):
        raise ValueError(
            f"The checkpoint {path} {reason}. Nothing was trained or changed: give another folder as checkpoint, "
            "or delete this one."
        )

    def _check_identity(self, path, recorded):
        current = self._identity()
        for name in [*current, *recorded]:
            theirs, ours = recorded.get(name), current.get(name)
            same = theirs == ours
            if name.startswith("parameter") and theirs and ours and len(theirs[0]) == len(ours[0]):
                fits = all(b <= 0 or a == b for a, b in zip(theirs[0], ours[0], strict=True))  # 0 is not known yet
                same = fits and theirs[1] == ours[1]
            if not same:
                self._refuse(path, f"is of another training: its {name} is {theirs}, here it is {ours}")

    def _path(self, epoch):
        return self.folder / f"epoch-{epoch:05}.json"

    def _records(self):
        return sorted(self.folder.glob(f"epoch-{'[0-9]' * 5}.json"))

    def newest(self):
        """Return the number of the newest epoch that is kept; 0 without one."""
        return max((int(path.stem.removeprefix("epoch-")) for path in self._records()), default=0)

    def restore(self, ctx, epoch):
        """Load an epoch into network and optimizer.

        Args:
            ctx (mxnet.Context | list[mxnet.Context]): where the network is.
            epoch (int): its number; 0 to load nothing.

        Returns:
            History | None: what had been measured; None where nothing is kept yet.

        Raises:
            ValueError: the checkpoint is damaged, of another training or of another version.
        """
        if not epoch:
            return None
        path = self._path(epoch)
        try:
            record = json.loads(path.read_text())
        except ValueError:
            self._refuse(path, "is damaged (no JSON)")
        if not isinstance(record, dict) or "format" not in record:
            self._refuse(path, "was not written by d2lhelpers")
        if record["format"] != FORMAT:
            self._refuse(path, f"has format {record['format']}, and this version of d2lhelpers reads {FORMAT}")
        signature = record.pop("sha256", None)
        if _signed(record)["sha256"] != signature:
            self._refuse(path, "is damaged (its content does not fit its hash)")
        for name, sha256 in record["files"].items():
            file = self.folder / name
            if not file.exists() or _sha256(file) != sha256:
                self._refuse(path, f"is damaged ({name} {'is another' if file.exists() else 'is missing'})")
        self._check_identity(path, record["training"])
        self.net.load_parameters(str(path.with_suffix(".params")), ctx=ctx)
        states = path.with_suffix(".states")
        self._set_states(record["optimizer"], mx.nd.load(str(states)) if states.name in record["files"] else {})
        history = History(**record["history"])
        history.steps = [tuple(step) for step in history.steps]
        return history

    def _names(self):
        """Return the parameters' names by the numbers that the trainer gives them.

        The numbers follow from names such as `dense9_weight` and `dense10_weight`, which count all layers ever made.
        """
        names = {id(parameter): name for name, parameter in self.net._collect_params_with_prefix().items()}
        return {i: names.get(id(parameter), parameter.name) for i, parameter in enumerate(self.trainer._params)}

    def _updaters(self):
        """Return what holds the optimizer's state: the one updater of the store, or one for each device."""
        if not self.trainer._kv_initialized:
            self.trainer._init_kvstore()
        return [self.trainer._kvstore._updater] if self.trainer._update_on_kvstore else self.trainer._updaters

    def _set_states(self, record, arrays):
        optimizer = self.trainer.optimizer
        optimizer.num_update = record["num_update"]
        for device in self.trainer._contexts:
            optimizer._set_current_context(device.device_id)  # makes this device's table of counts
        updaters = self._updaters()
        for index, name in self._names().items():
            for counts in optimizer._all_index_update_counts.values():
                if name in record["counts"]:
                    counts[index] = record["counts"][name]
            for updater in updaters:
                if name in record["states"]:
                    updater.states[index] = _unpack(record["states"][name], arrays)
                    updater.states_synced[index] = False  # it is moved to the weight's device when it is used

    def save(self, history):
        """Keep network, optimizer and history as they are after an epoch; the last two epochs stay.

        Where the disk is full, it says so and the training goes on; what was kept before is untouched.

        Args:
            history (History): what has been measured.
        """
        try:
            self._save(history)
        except OSError as error:
            print(f"Epoch {len(history.loss)} could not be kept in {self.folder} ({error}); training goes on.")

    def _save(self, history):
        path = self._path(len(history.loss))
        optimizer, arrays, files = self.trainer.optimizer, {}, {}
        # `Trainer.save_states` would pickle them.
        names, updated = self._names(), self._updaters()[0].states
        states = {names[i]: _pack(state, names[i], arrays) for i, state in updated.items()}
        counts = optimizer._all_index_update_counts.values()  # a store may count each parameter on another GPU
        self._write(path.with_suffix(".params"), self.net.save_parameters, files)
        if arrays:
            self._write(path.with_suffix(".states"), lambda name: mx.nd.save(name, arrays), files)
        record = {
            "format": FORMAT,
            "training": self._identity(),
            "history": dataclasses.asdict(history),
            "optimizer": {
                "num_update": optimizer.num_update,
                "counts": {names[i]: max(count.get(i, 0) for count in counts) for i in updated},
                "states": states,
            },
            "files": files,
        }
        text = json.dumps(_signed(record), sort_keys=True, default=np.generic.item)
        self._write(path, lambda name: Path(name).write_text(text), {})
        for old in self._records()[:-KEPT]:
            for suffix in (".json", ".params", ".states"):
                old.with_suffix(suffix).unlink(missing_ok=True)

    def _write(self, path, write, files):
        """Write a file so that it is there whole or not at all, and note its hash."""
        partial = path.with_name(path.name + ".partial")
        try:
            write(str(partial))
            with open(partial, "rb+") as file:
                os.fsync(file.fileno())
        except (OSError, mx.base.MXNetError) as error:
            partial.unlink(missing_ok=True)
            raise OSError(str(error).strip().splitlines()[-1]) from error
        files[path.name] = _sha256(partial)
        partial.replace(path)
