"""Print the links that contain the repository's address, found in the remote of git: `make links HUB=https://...`."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

ROOT = Path(__file__).resolve().parent.parent
FIRST = {"": "notebooks/01_batch_norm.ipynb", ", in Chinese": "notebooks/zh/01_batch_norm.ipynb"}


def git(*arguments):
    """Return what a git command prints, or nothing where it fails."""
    return subprocess.run(["git", *arguments], cwd=str(ROOT), capture_output=True, text=True).stdout.strip()


def remote():
    """Return the address that this branch is pulled from, its name there, and the branch that Binder shall start."""
    name, _, branch = git("rev-parse", "--abbrev-ref", "@{upstream}").partition("/")
    url = git("remote", "get-url", name or "origin") or git("remote", "get-url", "origin")
    if not url:
        sys.exit("git knows no remote: add one with `git remote add origin https://...`.")
    branch = branch or git("rev-parse", "--abbrev-ref", "HEAD")
    if branch == "HEAD":
        sys.exit("This folder is on no branch: go back to one, for example with `git checkout main`.")
    image = branch == "main" and git("rev-parse", "--verify", "--quiet", f"{name or 'origin'}/binder")
    return url, branch, "binder" if image else branch  # the workflow keeps main's image in the branch binder


def web_address(url):
    """Return the https address of a remote, without user, password and .git; stop where it has none."""
    short = re.fullmatch(r"(?:[^@/:]+@)?([^@/:]+):(?!//)(.+)", url)  # user@host:path
    parts = urlsplit(f"ssh://{short[1]}/{short[2].lstrip('/')}" if short else url)
    host, port = (parts.hostname or "").lower(), parts.port if parts.scheme.startswith("http") else None
    host = re.sub(r"^(www|ssh)\.(github|gitlab)\.com$", r"\2.com", host)
    path = re.sub(r"\.git$", "", parts.path.strip("/"))
    if parts.scheme not in ("http", "https", "ssh", "git") or not re.search(r"\.[a-z]+$", host) or not path:
        sys.exit("The remote is no address that others can reach; it must be like https://github.com/OWNER/REPO.")
    return f"https://{host}{f':{port}' if port else ''}/{path}"


def links(url, branch, start, hub):
    """Return title and address of each link."""
    address = web_address(url)
    host, _, path = address[len("https://") :].partition("/")
    ref = quote(start, safe="")
    binder = {
        "github.com": f"gh/{path}/{ref}",
        "gitlab.com": f"gl/{quote(path, safe='')}/{ref}",
    }.get(host, f"git/{quote(address, safe='')}/{ref}")
    folder, found = path.rpartition("/")[2], {}
    for edition, first in FIRST.items():
        if (ROOT / first).exists():
            pull = urlencode({"repo": address, "branch": branch, "urlpath": f"lab/tree/{folder}/{first}"})
            opened = quote(f"lab/tree/{first}", safe="")
            found[f"Binder{edition}"] = f"https://mybinder.org/v2/{binder}?urlpath={opened}"
            found[f"JupyterHub, by nbgitpuller{edition}"] = f"{hub}/hub/user-redirect/git-pull?{pull}"
    return found


def main(hub=""):
    """Print the links, and a badge for a README."""
    hub = (hub or "https://YOUR-HUB").rstrip("/")
    found = links(*remote(), hub if "://" in hub else f"https://{hub}")
    for title, address in found.items():
        print(f"{title}:\n  {address}")
    print(f"Badge:\n  [![Binder](https://mybinder.org/badge_logo.svg)]({found['Binder']})")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:2])
    except FileNotFoundError:
        sys.exit("There is no git on PATH: install it.")
