"""Train chapter 1's LeNet in several processes of this machine, and compare with one: `make scale WORKERS=2`.

MXNet's parameter server needs a scheduler, a server and the workers; all of them run this file, and environment
variables tell each what it is. The scheduler and the server never get further than `import mxnet`.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time

EPOCHS = 3


def work(workers, checkpoint):
    """Be one of the workers."""
    import d2lhelpers as d2l

    chapter = d2l.definitions("01_batch_norm")
    net = chapter.lenet(chapter.gluon_norm)
    options = {"kvstore": "dist_sync"} if workers > 1 else {}
    if checkpoint:
        options["checkpoint"] = checkpoint
    history = d2l.fit(net, lr=1.0, batch_size=256 // workers, num_epochs=EPOCHS, **options)
    if os.environ.get("DMLC_WORKER_ID", "0") == "0":
        print(f"{workers} workers: {statistics.median(history.seconds):.1f} s an epoch, loss {history.loss[-1]:.3f}")


def start(command, workers, **options):
    """Start a scheduler, a server and the workers on the loopback interface; return them by name.

    `options` are those of `subprocess.Popen`, and `environment` more variables.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    common = {"DMLC_PS_ROOT_URI": "127.0.0.1", "DMLC_PS_ROOT_PORT": port, "DMLC_NODE_HOST": "127.0.0.1"}
    common |= {"DMLC_NUM_SERVER": "1", "DMLC_NUM_WORKER": str(workers)}
    common |= options.pop("environment", {})
    processes = {}
    for name in ("scheduler", "server", *(f"worker {i}" for i in range(workers))):
        role, _, number = name.partition(" ")
        variables = {**os.environ, **common, "DMLC_ROLE": role, "DMLC_WORKER_ID": number}
        processes[name] = subprocess.Popen(command, env=variables, **options)
    return processes


def launch(workers, checkpoint):
    """Start all processes; stop them all as soon as one fails. Return how the run ended."""
    command = [sys.executable, __file__, "--work", f"--workers={workers}", f"--checkpoint={checkpoint}"]
    threads = max(1, os.cpu_count() // workers)  # else the workers wait for each other's threads
    processes = start(command, workers, environment={"OMP_NUM_THREADS": str(threads)})
    try:
        while running := {name: process for name, process in processes.items() if process.poll() is None}:
            for name, process in processes.items():
                if process.returncode:
                    print(f"The {name} ended with code {process.returncode}; the others are stopped.", end=" ")
                    print("The same command goes on after the last whole epoch." if checkpoint else "")
                    return 1
            if not any(name.startswith("worker") for name in running):
                return 0
            time.sleep(0.2)
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    return 0


def main():
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description="Train LeNet in several processes.")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--checkpoint", default="", help="a folder: the run goes on where it was stopped")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.workers, options.checkpoint)
    elif options.workers == 1:
        work(1, options.checkpoint)
    else:
        sys.exit(launch(options.workers, options.checkpoint))


if __name__ == "__main__":
    main()
