"""Print the links that contain the repository's address, found in the remote of git: `make links HUB=https://...`."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, urlencode

ROOT = Path(__file__).resolve().parent.parent
FIRST = "notebooks/01_batch_norm.ipynb"


def remote():
    """Return the address that this branch is pulled from, and the branch's name there."""

    def git(*arguments):
        result = subprocess.run(
            ["git", *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        return result.stdout.strip()

    name, _, branch = git("rev-parse", "--abbrev-ref", "@{upstream}").partition("/")
    url = git("remote", "get-url", name or "origin")
    if not url:
        sys.exit("git knows no remote: add one with `git remote add origin https://...`.")
    return url, branch or git("rev-parse", "--abbrev-ref", "HEAD")


def web_address(url):
    """Return the https address of a remote, as (host, path) without .git; stop where it has none."""
    found = re.fullmatch(r"(?:https?://|ssh://)?(?:[^@/]+@)?([\w.-]+\.\w+)(?::\d+(?=/))?[:/](.+?)(?:\.git)?/?", url)
    if not found:
        sys.exit(
            f"The remote {url} is no address that others can reach: use one such as https://github.com/OWNER/REPO."
        )
    return found[1], found[2]


def links(url, branch, hub):
    """Return title and address of each link."""
    host, path = web_address(url)
    address = f"https://{host}/{path}"
    if host == "github.com":
        spec = f"gh/{path}/{quote(branch, safe='')}"
    elif host == "gitlab.com":
        spec = f"gl/{quote(path, safe='')}/{quote(branch, safe='')}"
    else:
        spec = f"git/{quote(address, safe='')}/{quote(branch, safe='')}"
    folder = path.rpartition("/")[2]
    pull = urlencode({"repo": address, "branch": branch, "urlpath": f"lab/tree/{folder}/{FIRST}"})
    return {
        "Binder": f"https://mybinder.org/v2/{spec}?urlpath={quote(f'lab/tree/{FIRST}', safe='')}",
        "JupyterHub, by nbgitpuller": f"{hub.rstrip('/')}/hub/user-redirect/git-pull?{pull}",
    }


def main(hub="https://YOUR-HUB"):
    """Print the links, and a badge for a README."""
    found = links(*remote(), hub)
    for title, address in found.items():
        print(f"{title}:\n  {address}")
    print(f"Badge:\n  [![Binder](https://mybinder.org/badge_logo.svg)]({found['Binder']})")


if __name__ == "__main__":
    main(*sys.argv[1:])
