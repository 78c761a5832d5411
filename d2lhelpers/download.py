"""Fetch the four files of Fashion-MNIST (Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747), and verify them.

`python -m d2lhelpers.download` (or `make data`) does it ahead of time.
"""

import gzip
import hashlib
import queue
import sys
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pooch
import requests
import urllib3
from tqdm import tqdm

from .runtime import mx

# name of the array -> (file, SHA-256 of the decompressed file, shape). The .gz files themselves differ from publisher
# to publisher, because gzip stores a time stamp and a level: so the content is verified.
FILES = {
    "train_images": (
        "train-images-idx3-ubyte.gz",
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        (60_000, 28, 28),
    ),
    "train_labels": (
        "train-labels-idx1-ubyte.gz",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        (60_000,),
    ),
    "test_images": (
        "t10k-images-idx3-ubyte.gz",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        (10_000, 28, 28),
    ),
    "test_labels": (
        "t10k-labels-idx1-ubyte.gz",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        (10_000,),
    ),
}
PROBE_SECONDS = 6  # how long all addresses together may take to answer before this machine counts as offline
READ_SECONDS = 20  # how long a download may stand still
SLOWEST = 20_000  # bytes a second on average, below which the next address is tried


def sources():
    """Return the addresses that publish the four files, in the order in which they are tried.

    Returns:
        list[str]: Gluon's mirror (or the one that `MXNET_GLUON_REPO` names), the data set's GitHub repository, and its
        S3 website, which answers over plain http only; the content is verified whatever the address.
    """
    gluon = mx.gluon.utils._get_repo_url().rstrip("/")
    return [
        f"{gluon}/gluon/dataset/fashion-mnist/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ]


def cache_folder(name):
    """Return the folder where a data set is kept: $MXNET_HOME/datasets/<name>.

    It is Gluon's and d2lzh's own: what they have downloaded is used, and the reverse.

    Args:
        name (str): the name of the data set.

    Returns:
        pathlib.Path: the folder, which may not exist yet.
    """
    return Path(mx.base.data_dir()).expanduser() / "datasets" / name


def read_file(path, sha256, shape):
    """Read one idx file and verify it.

    Args:
        path (str | pathlib.Path): the compressed file.
        sha256 (str): what its decompressed content must hash to.
        shape (tuple[int, ...]): shape of the array in it.

    Returns:
        numpy.ndarray: uint8, read-only.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: its content is not the published one.
    """
    try:
        content = gzip.decompress(Path(path).read_bytes())
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is damaged ({error})") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"{path} is not the published Fashion-MNIST file (wrong SHA-256)")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def _fetch(url, output):
    """Write what an address serves to a file; requests.RequestException where it stands still or is too slow.

    A server that sends a byte now and then never runs into a time-out for reading, hence the limit for the speed.
    """
    begin, received = time.monotonic(), 0
    with requests.get(url, stream=True, timeout=(PROBE_SECONDS, READ_SECONDS)) as response, open(output, "wb") as file:
        response.raise_for_status()
        size = int(response.headers.get("Content-Length", 0))
        with tqdm(total=size, desc=url.rpartition("/")[2], unit="B", unit_scale=True, ncols=79) as bar:
            try:
                while part := response.raw.read1(2**16, decode_content=True):
                    file.write(part)
                    bar.update(len(part))
                    received, seconds = received + len(part), time.monotonic() - begin
                    if seconds > READ_SECONDS and received < SLOWEST * seconds:
                        raise requests.ReadTimeout(f"only {received / seconds:.0f} bytes a second")
            except urllib3.exceptions.HTTPError as error:
                raise requests.ConnectionError(error) from error


def _answers(addresses):
    """Return those addresses that serve the smallest file now; all are asked at once, in bounded time.

    A name server that hangs is not covered by the time-outs of `requests`, hence the daemon threads and the deadline.
    """
    smallest = FILES["test_labels"][0]
    replies = queue.Queue()

    def ask(address):
        try:
            with requests.get(address + smallest, stream=True, timeout=PROBE_SECONDS) as response:
                replies.put((address, response.ok))
        except requests.RequestException:
            replies.put((address, False))

    for address in addresses:
        threading.Thread(target=ask, args=(address,), daemon=True).start()
    deadline, good = time.monotonic() + PROBE_SECONDS, set()
    try:
        for _ in addresses:
            address, ok = replies.get(timeout=max(0, deadline - time.monotonic()))
            if ok:
                good.add(address)
    except queue.Empty:
        pass
    return [address for address in addresses if address in good]


def download(folder):
    """Fetch into a folder what is missing or damaged there.

    Each file is written to a temporary name, verified and only then renamed: nothing half-written is ever used, and
    two notebooks may do this at once.

    Args:
        folder (pathlib.Path): where the files belong; made if need be.

    Raises:
        ConnectionError: no address could provide a file; names the file and the addresses.
        OSError: the folder cannot be written.
    """
    pooch.get_logger().setLevel("WARNING")
    addresses = None
    for file, sha256, shape in FILES.values():
        path = folder / file
        try:
            read_file(path, sha256, shape)
            continue
        except FileNotFoundError:
            pass
        except ValueError:
            path.unlink(missing_ok=True)

        def fetch_and_verify(url, output, _pooch, sha256=sha256, shape=shape):
            _fetch(url, output)
            read_file(output, sha256, shape)

        if addresses is None:
            addresses = _answers(sources())
        problems = []
        for address in addresses:
            try:
                pooch.retrieve(address + file, known_hash=None, fname=file, path=folder, downloader=fetch_and_verify)
                break
            except (ValueError, requests.RequestException) as error:
                problems.append(f"{address}: {error}")
        else:
            tried = "; ".join(problems) or "no answer from " + ", ".join(sources())
            raise ConnectionError(f"{file} could not be downloaded ({tried})")


def main():
    """Fetch the four files into the cache, or say why not."""
    folder = cache_folder("fashion-mnist")
    try:
        download(folder)
    except (OSError, ValueError) as error:
        sys.exit(f"{error}. Check the network, or copy the four files into {folder} by hand.")
    print(f"Fashion-MNIST is complete in {folder}")


if __name__ == "__main__":
    main()
