"""Run all chapters again and again with other seeds and numbers of threads: `make soak RUNS=20`.

Each run executes the chapters in new kernels and compares their outputs, as `make test` does. Seeds change weights,
dropout and the order of the images; threads the order in which numbers are added, and so the last digits of every
result. What a chapter claims must depend on neither.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(seed, threads):
    """Run all chapters once, say how it ended, and return whether it failed."""
    begin = time.monotonic()
    result = subprocess.run(
        [ROOT / ".venv" / "bin" / "pytest", "--nbval", "-q", "-p", "no:cacheprovider", "notebooks"],
        cwd=ROOT,
        env={**os.environ, "D2L_SEED": str(seed), "OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
    )
    minutes = (time.monotonic() - begin) / 60
    end = result.stdout.strip().splitlines()[-1]
    failed = re.findall(r"^(?:FAILED|ERROR) .*", result.stdout, re.MULTILINE)
    print("\n".join([f"seed +{seed}, {threads} threads: {end} ({minutes:.1f} minutes)", *failed]), flush=True)
    return result.returncode != 0


def main():
    """Run the chapters: half of the runs with one thread, as many at a time as there are cores; half with all."""
    parser = argparse.ArgumentParser(description="Run all chapters again and again.")
    parser.add_argument("--runs", type=int, default=20)
    runs, cores = parser.parse_args().runs, os.cpu_count()
    failures = 0
    for threads, seeds in ((1, range(0, runs, 2)), (cores, range(1, runs, 2))):
        with ThreadPoolExecutor(cores // threads) as executor:
            failures += sum(executor.map(run, seeds, [threads] * len(seeds)))
    print(f"{failures} of {runs} runs failed")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
