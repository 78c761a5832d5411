"""Fashion-MNIST: where it comes from, and the batches made of it."""

import functools
import gzip
import http.server
import json
import subprocess
import sys
import threading
import time

import d2lhelpers as d2l
import d2lzh
import mxnet as mx
import numpy as np
import pytest
from d2lhelpers import data, download, standin
from mxnet.gluon.data.vision import transforms

UNREACHABLE = "http://127.0.0.1:9/"


class Server(http.server.ThreadingHTTPServer):
    """Serves folders by their address; /<behaviour>/<file> misbehaves."""

    daemon_threads = True

    def __init__(self, folder):
        class Handler(http.server.SimpleHTTPRequestHandler):
            def do_GET(self):
                _, behaviour, file = self.path.split("/")
                self.server.requests.append((behaviour, file))
                content = (folder / file).read_bytes()
                if behaviour in ("missing", "error"):
                    return self.send_error({"missing": 404, "error": 500}[behaviour])
                if behaviour == "drop":
                    return self.connection.close()
                if behaviour == "hang":
                    return self.server.over.wait(60)
                if behaviour in ("redirect", "loop"):
                    self.send_response(302)
                    self.send_header("Location", f"/{'good' if behaviour == 'redirect' else 'loop'}/{file}")
                    return self.end_headers()
                if behaviour == "html":
                    content = b"<html>please log in</html>"
                if behaviour == "wrong":
                    content = gzip.compress(gzip.decompress(content)[:-1] + b"?")
                if behaviour == "flipped":
                    content = content[:40] + bytes([content[40] ^ 1]) + content[41:]
                if behaviour == "empty":
                    content = b""
                self.send_response(200)
                if behaviour != "unannounced":
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                half = len(content) // 2
                self.wfile.write(content[:half])
                if behaviour in ("cut", "stall", "unannounced"):
                    return behaviour == "stall" and self.server.over.wait(60)
                if behaviour in ("slow", "drip"):
                    size, pause = (64, 0.01) if behaviour == "slow" else (1, 0.5)
                    for start in range(half, len(content), size):
                        self.wfile.write(content[start : start + size])
                        if self.server.over.wait(pause):
                            return None
                    return None
                self.wfile.write(content[half:])

            def log_message(self, *arguments):
                pass

        self.requests, self.over = [], threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, request, client_address):
        """Say nothing: clients leave those who misbehave."""


@pytest.fixture
def server(tiny_data):
    with Server(tiny_data) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.over.set()
        running.shutdown()


@pytest.fixture
def publish(server, monkeypatch):
    """Let the data be published by the server, at one address for each behaviour."""

    def use(*behaviours):
        addresses = [
            UNREACHABLE if behaviour == "unreachable" else f"http://127.0.0.1:{server.server_port}/{behaviour}/"
            for behaviour in behaviours
        ]
        monkeypatch.setattr(download, "sources", lambda: addresses)

    return use


@pytest.fixture
def small_standin(monkeypatch):
    monkeypatch.setattr(standin, "draw", functools.partial(standin.draw, 30, 20))


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_three_independent_addresses(monkeypatch):
    monkeypatch.setenv("MXNET_GLUON_REPO", "https://example.org/mirror")
    hosts = [address.split("/")[2] for address in download.sources()]
    assert len(set(hosts)) == 3
    assert download.sources()[0] == "https://example.org/mirror/gluon/dataset/fashion-mnist/"


MISBEHAVIOURS = "unreachable missing error drop hang loop html wrong flipped empty cut unannounced stall drip".split()


@pytest.fixture
def hurry(monkeypatch):
    """Shorten the time-outs."""
    monkeypatch.setattr(download, "PROBE_SECONDS", 1)
    monkeypatch.setattr(download, "READ_SECONDS", 1)


@pytest.mark.parametrize("first", MISBEHAVIOURS)
def test_next_address_is_tried(publish, tiny_data, tmp_path, hurry, first):
    publish(first, "good")
    begin = time.monotonic()
    assert data.load_arrays().source == "Fashion-MNIST"
    assert time.monotonic() - begin < 30
    assert files_in(tmp_path / "cache") == sorted(file for file, *_ in download.FILES.values())


@pytest.mark.parametrize("behaviour", ["redirect", "slow"])
def test_what_is_merely_unusual_is_waited_for(publish, server, tiny_data, behaviour):
    publish(behaviour)
    assert data.load_arrays().source == "Fashion-MNIST"


@pytest.mark.parametrize("only", MISBEHAVIOURS)
def test_nothing_half_written_is_ever_used(publish, tiny_data, tmp_path, hurry, small_standin, capsys, only):
    publish(only)
    assert data.load_arrays().source == "stand-in"
    assert not list((tmp_path / "cache").rglob("*.gz"))
    said = capsys.readouterr().out
    for part in ("train-images-idx3-ubyte.gz could not be downloaded", "127.0.0.1", "Set D2L_DATA", "make data"):
        assert part in said
    data._load.cache_clear()
    publish("good")
    assert data.load_arrays().source == "Fashion-MNIST"


def small_disk(tmp_path):
    """Mount a disk of 64 kB, where that is allowed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("mounting needs root")
    return disk


def test_full_disk(publish, tiny_data, small_standin, tmp_path, monkeypatch, capsys):
    disk = small_disk(tmp_path)
    try:
        (disk / "filler").write_bytes(bytes(56 * 1024))
        monkeypatch.setenv("MXNET_HOME", str(disk))
        publish("good")
        loaded = data.load_arrays()
        said = capsys.readouterr().out
        assert (loaded.source, "No space left" in said) == ("stand-in", True)
        assert files_in(disk) == ["filler"], "nothing half-written is left"
        (disk / "filler").unlink()
        data._load.cache_clear()
        assert data.load_arrays().source == "Fashion-MNIST"
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_read_only_cache(publish, tiny_data, small_standin, tmp_path, monkeypatch, capsys):
    disk = small_disk(tmp_path)
    try:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        monkeypatch.setenv("MXNET_HOME", str(disk))
        publish("good")
        assert data.load_arrays().source == "stand-in"
        said = capsys.readouterr().out
        assert "Read-only file system" in said
        assert "Set D2L_DATA" in said
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_two_processes_at_once(publish, server, tiny_data, tmp_path):
    publish("slow")
    code = (
        "import sys, json; from pathlib import Path; from d2lhelpers import download;"
        "download.FILES.update({k: (a, b, tuple(c)) for k, (a, b, c) in json.loads(sys.argv[1]).items()});"
        "download.sources = lambda: [sys.argv[2]]; download.download(Path(sys.argv[3]))"
    )
    folder = tmp_path / "shared"
    arguments = [json.dumps(download.FILES), download.sources()[0], str(folder)]
    processes = [subprocess.Popen([sys.executable, "-c", code, *arguments]) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert files_in(folder) == sorted(file for file, *_ in download.FILES.values())
    for file, sha256, shape in download.FILES.values():
        download.read_file(folder / file, sha256, shape)


def test_cached_files_are_not_fetched_again(publish, server, tiny_data):
    publish("good")
    first = data.load_arrays()
    server.requests.clear()
    data._load.cache_clear()
    again = data.load_arrays()
    assert not server.requests
    assert all((a == b).all() for a, b in zip(first[:4], again[:4], strict=True))


def test_damaged_file_is_fetched_again(publish, server, tiny_data, tmp_path):
    publish("good")
    data.load_arrays()
    damaged = next((tmp_path / "cache").rglob("t10k-labels*"))
    damaged.write_bytes(damaged.read_bytes()[:-9])
    server.requests.clear()
    data._load.cache_clear()
    assert data.load_arrays().source == "Fashion-MNIST"
    assert {file for _, file in server.requests} == {damaged.name}


def test_nothing_reachable_gives_the_standin_and_says_so_once(publish, tiny_data, small_standin, capsys):
    publish("unreachable", "missing")
    loaded = data.load_arrays()
    data.load_arrays()
    assert loaded.source == "stand-in"
    assert loaded.train_images.shape == (30, 28, 28)
    out = capsys.readouterr().out
    assert out.count("stand-in garments") == 1
    assert "127.0.0.1:9" in out
    assert "D2L_DATA" in out


def test_standin_is_drawn_once_then_cached(tiny_data, small_standin, monkeypatch):
    monkeypatch.setenv("D2L_DATA", "standin")
    first = data.load_arrays()
    data._load.cache_clear()
    monkeypatch.setattr(standin, "draw", None)
    assert (data.load_arrays().train_images == first.train_images).all()


def test_a_damaged_standin_is_drawn_again(tiny_data, small_standin, monkeypatch, tmp_path):
    monkeypatch.setenv("D2L_DATA", "standin")
    first = data.load_arrays()
    (path,) = (tmp_path / "cache").rglob("*.npz")
    content = path.read_bytes()
    path.write_bytes(content[:-30])
    data._load.cache_clear()
    assert (data.load_arrays().train_images == first.train_images).all()
    assert path.stat().st_size == len(content)


@pytest.mark.parametrize("source", ["", "standin"])
def test_arrays_in_memory_are_read_only(publish, tiny_data, small_standin, monkeypatch, source):
    publish("good")
    monkeypatch.setenv("D2L_DATA", source)
    for _ in range(2):  # just made, and from the cache
        assert not any(array.flags.writeable for array in data.load_arrays()[:4])
        data._load.cache_clear()


def test_offline_uses_no_network(publish, server, tiny_data, small_standin, monkeypatch):
    publish("good")
    monkeypatch.setenv("D2L_OFFLINE", "1")
    assert data.load_arrays().source == "stand-in"
    assert not server.requests
    monkeypatch.setenv("D2L_OFFLINE", "0")
    assert data.load_arrays().source == "Fashion-MNIST"
    monkeypatch.setenv("D2L_OFFLINE", "1")
    data._load.cache_clear()
    server.requests.clear()
    assert data.load_arrays().source == "Fashion-MNIST"
    assert not server.requests


def test_wrong_d2l_data_is_an_error_and_no_fallback(tiny_data, monkeypatch, tmp_path):
    monkeypatch.setenv("D2L_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="D2L_DATA is .*nowhere.* it must be a folder with the four files"):
        data.load_arrays()
    damaged = tiny_data / "t10k-labels-idx1-ubyte.gz"
    damaged.write_bytes(b"no gzip")
    monkeypatch.setenv("D2L_DATA", str(tiny_data))
    with pytest.raises(FileNotFoundError, match="t10k-labels.* is damaged"):
        data.load_arrays()
    assert damaged.exists()


def test_root_is_honoured(publish, tiny_data, tmp_path, monkeypatch):
    publish("good")
    monkeypatch.setenv("D2L_DATA", str(tmp_path / "nowhere"))
    train_iter, test_iter = d2l.load_data_fashion_mnist(8, None, str(tmp_path / "here"))
    assert (len(train_iter), len(test_iter)) == (3, 2)
    assert files_in(tmp_path / "here") == sorted(file for file, *_ in download.FILES.values())


def images(n=50, side=28):
    random = np.random.default_rng(1)
    return random.integers(0, 256, (n, side, side), dtype=np.uint8), np.arange(n, dtype=np.int32)


def labels_of(batches):
    return np.concatenate([y.asnumpy() for _, y in batches]).tolist()


def test_every_image_once_and_a_new_order_every_epoch():
    batches = data.ImageBatches(*images(), 8, shuffle=True)
    first, second = labels_of(batches), labels_of(batches)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert len(batches) == 7 == len(list(batches))


def test_order_comes_from_the_seed():
    orders = [labels_of(data.ImageBatches(*images(), 8, shuffle=True, seed=seed)) for seed in (3, 3, 4)]
    assert orders[0] == orders[1] != orders[2]


def test_types_shapes_and_device():
    X, y = next(iter(data.ImageBatches(*images(), 8, ctx=mx.cpu(1))))
    assert (X.shape, X.dtype, X.context) == ((8, 1, 28, 28), np.float32, mx.cpu(1))
    assert (y.shape, y.dtype, y.context) == ((8,), np.int32, mx.cpu(1))


@pytest.mark.parametrize("size", [None, 96, 224, 20, (40, 30)])
def test_same_pixels_as_d2lzh(size):
    pixels, labels = images(6)
    steps = [transforms.Resize(size)] if size else []
    convert = transforms.Compose([*steps, transforms.ToTensor()])
    theirs = np.stack([convert(mx.nd.array(image[..., None], dtype=np.uint8)).asnumpy() for image in pixels])
    ((ours, _),) = data.ImageBatches(pixels, labels, 6, resize=size)
    assert ours.shape == theirs.shape
    assert abs(ours.asnumpy() - theirs).max() <= 1 / 255 + 1e-6


def test_images_belong_to_their_labels():
    pixels, labels = images()
    for X, y in data.ImageBatches(pixels, labels, 8, shuffle=True):
        assert (X.asnumpy()[:, 0] == pixels[y.asnumpy()] * np.float32(1 / 255)).all()


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        ((0,), {}, "batch_size is 0; it must be a whole number of at least 1"),
        ((2.5,), {}, "batch_size is 2.5"),
        ((True,), {}, "batch_size is True"),
        ((8, -1), {}, "resize is -1"),
        ((8, 0), {}, "resize is 0"),
        ((8, (20, 0)), {}, "resize is 0"),
        ((8, (20, 20, 1)), {}, r"resize is \(20, 20, 1\)"),
        ((8, "224"), {}, "resize is '224'"),
        ((8,), {"train_size": 7}, "batch_size is 8, more than the 7 images of train_size"),
        ((8,), {"seed": -1}, "seed is -1; it must be a whole number of at least 0"),
        ((8,), {"ctx": "gpu"}, r"ctx is 'gpu'; it must be a device such as mx.cpu\(\)"),
        ((8,), {"train_size": 21}, "train_size is 21; it must be a whole number from 1 to 20"),
        ((8,), {"test_size": 0}, "test_size is 0; it must be a whole number from 1 to 10"),
    ],
)
def test_bad_sizes(publish, tiny_data, arguments, options, sentence):
    publish("good")
    with pytest.raises(ValueError, match=sentence):
        d2l.load_data_fashion_mnist(*arguments, **options)


def test_sizes(publish, tiny_data):
    publish("good")
    train_iter, test_iter = d2l.load_data_fashion_mnist(4, train_size=10, test_size=5)
    assert (len(train_iter.images), len(test_iter.images)) == (10, 5)
    assert not test_iter.shuffle


def test_make_data(publish, tiny_data, capsys):
    publish("missing")
    with pytest.raises(SystemExit, match="could not be downloaded.*Check the network"):
        download.main()
    publish("good")
    download.main()
    assert "is complete" in capsys.readouterr().out


def test_the_published_names():
    assert d2l.get_fashion_mnist_labels is d2lzh.get_fashion_mnist_labels
