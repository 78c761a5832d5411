"""Run a command, and all that it starts, with limited memory: `python3 tools/limit.py 2048 make test` gives it 2 GB.

The limit is a control group of Linux, as in a container on Binder: whoever needs more is killed. It is made by systemd
where that runs, and else directly, which needs root.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path


def by_systemd(megabytes, command):
    """Return a command that runs another one in a scope of systemd."""
    user = [] if os.getuid() == 0 else ["--user"]
    limits = ["-p", f"MemoryMax={megabytes}M", "-p", "MemorySwapMax=0"]
    return ["systemd-run", *user, "--scope", "--quiet", "--collect", *limits, *command]


def make_group(megabytes):
    """Make a control group (version 1) with that limit inside the one of this process, and return its folder."""
    path = next(line.split(":")[2] for line in Path("/proc/self/cgroup").read_text().split() if ":memory:" in line)
    group = Path("/sys/fs/cgroup/memory" + path, f"limit-{os.getpid()}")
    group.mkdir()
    (group / "memory.limit_in_bytes").write_text(str(megabytes * 2**20))
    return group


def in_group(megabytes, command):
    """Run a command in a control group of its own, and return its exit status."""
    try:
        group = make_group(megabytes)
    except (OSError, StopIteration):
        sys.exit("Memory cannot be limited here: this needs Linux with systemd, or root and control groups.")
    try:
        enter = ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(group)]
        status = subprocess.run([*enter, *command]).returncode
        counts = dict(line.split() for line in (group / "memory.oom_control").read_text().splitlines())
        print(f"limited to {megabytes} MB; processes killed for it: {counts['oom_kill']}", file=sys.stderr)
    finally:
        with contextlib.suppress(OSError):  # what the command has left running stays in it
            group.rmdir()
    return status if status >= 0 else 128 - status


def main(megabytes="", *command):
    """Run the command; its exit status is that of this program."""
    if not re.fullmatch("[1-9][0-9]*", megabytes) or not command:
        sys.exit("Say how many megabytes and which command: `python3 tools/limit.py 2048 make test`.")
    if not shutil.which(command[0]):
        sys.exit(f"There is no {command[0]}.")
    if Path("/run/systemd/system").exists():
        sys.exit(subprocess.run(by_systemd(megabytes, command)).returncode)
    try:
        sys.exit(in_group(int(megabytes), command))
    except KeyboardInterrupt:
        sys.exit("Interrupted.")


if __name__ == "__main__":
    main(*sys.argv[1:])
