"""Train chapter 1's LeNet in several processes of this machine: `make scale WORKERS=2`; WORKERS=1 to compare.

MXNet's parameter server needs a scheduler, a server and the workers; all of them run this file, and environment
variables tell each what it is. The scheduler and the server never get further than `import mxnet`.

On several machines, which must trust each other, set the variables by hand and start each process where it shall run:

    export DMLC_PS_ROOT_URI=192.168.0.10 DMLC_PS_ROOT_PORT=9000 DMLC_NUM_SERVER=1 DMLC_NUM_WORKER=2
    DMLC_ROLE=scheduler .venv/bin/python benchmarks/scale.py --work --workers 2    # on 192.168.0.10
    DMLC_ROLE=server .venv/bin/python benchmarks/scale.py --work --workers 2       # on any of them
    DMLC_ROLE=worker .venv/bin/python benchmarks/scale.py --work --workers 2       # on two of them

The first line is for all. Where a machine has several networks, DMLC_NODE_HOST is its address in the one to use.
"""

import argparse
import os
import socket
import subprocess
import sys
import time


def work(workers, checkpoint):
    """Train as one of the workers, or alone; the batches of all together have 256 images."""
    import d2lhelpers as d2l  # here, as the process that starts the others needs no MXNet
    from d2lhelpers.chapters.batch_norm import gluon_norm, lenet

    callbacks = [d2l.Cluster("dist_sync")] if workers > 1 else []
    if checkpoint:
        callbacks.append(d2l.Checkpoint(checkpoint))
    d2l.fit(lenet(gluon_norm), lr=1.0, batch_size=256 // workers, num_epochs=3, callbacks=callbacks)


def start(command, workers, **options):
    """Start a scheduler, a server and the workers on the loopback interface; return them by name.

    `options` are those of `subprocess.Popen`, and `environment` more variables.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    common = {"DMLC_PS_ROOT_URI": "127.0.0.1", "DMLC_PS_ROOT_PORT": port, "DMLC_NODE_HOST": "127.0.0.1"}
    common |= {"DMLC_NUM_SERVER": "1", "DMLC_NUM_WORKER": str(workers), **options.pop("environment", {})}
    processes = {}
    for name in ("scheduler", "server", *(f"worker {i}" for i in range(workers))):
        role, _, number = name.partition(" ")
        variables = {**os.environ, **common, "DMLC_ROLE": role, "DMLC_WORKER_ID": number}
        processes[name] = subprocess.Popen(command, env=variables, **options)
    return processes


def launch(workers, checkpoint):
    """Start all processes and wait for the workers; return None, or what went wrong as soon as one fails."""
    command = [sys.executable, __file__, "--work", f"--workers={workers}", f"--checkpoint={checkpoint}"]
    threads = max(1, os.cpu_count() // workers)  # else the workers wait for each other's threads
    processes = start(command, workers, environment={"OMP_NUM_THREADS": str(threads)})
    try:
        while True:
            codes = {name: process.poll() for name, process in processes.items()}
            if failed := [name for name, code in codes.items() if code]:
                return f"The {failed[0]} ended with code {codes[failed[0]]}; the others are stopped."
            if all(code == 0 for name, code in codes.items() if name.startswith("worker")):
                return None
            time.sleep(0.2)
    finally:
        for process in processes.values():
            process.kill()
            process.wait()


def main():
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description="Train LeNet in several processes.")
    parser.add_argument("--workers", type=int, default=2, help="how many processes train")
    parser.add_argument("--checkpoint", default="", help="a folder: the run goes on where it was stopped")
    parser.add_argument("--work", action="store_true", help="be one of the processes: see the top of this file")
    options = parser.parse_args()
    run = work if options.work or options.workers == 1 else launch
    sys.exit(run(options.workers, options.checkpoint))


if __name__ == "__main__":
    main()
