"""Run all chapters again and again, with one thread and with all, and count what fails: `make soak RUNS=20`.

Each run executes the chapters in new kernels and compares their outputs, as `make test` does. Threads change the order
in which numbers are added, and so the last digits of every result: what a chapter claims must not depend on them.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main():
    """Run the chapters, and say how each run ended."""
    parser = argparse.ArgumentParser(description="Run all chapters again and again.")
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    failures = 0
    for number in range(runs):
        threads = (1, os.cpu_count())[number % 2]
        begin = time.monotonic()
        result = subprocess.run(
            [ROOT / ".venv" / "bin" / "pytest", "--nbval", "-q", "notebooks"],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            capture_output=True,
            text=True,
        )
        minutes = (time.monotonic() - begin) / 60
        end = result.stdout.strip().splitlines()[-1]
        print(f"run {number + 1} of {runs}, {threads} threads: {end} ({minutes:.1f} minutes)", flush=True)
        if result.returncode:
            failures += 1
            print("\n".join(re.findall(r"^(?:FAILED|ERROR) .*", result.stdout, re.MULTILINE)), flush=True)
    print(f"{failures} of {runs} runs failed")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
