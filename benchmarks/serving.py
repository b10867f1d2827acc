"""How fast the server answers, and what hostile requests do to it.

::

    python -m benchmarks.serving RUN PHOTOS [--clients 32] [--seconds 20]
    python -m benchmarks.serving RUN PHOTOS --hostile --seconds 600

The first compares photos per second of ``--clients`` clients, one photo per request, with what the same decoder and engine do
on the same cores without HTTP. The clients run on the same machine, in a process of their own, and take part of it: their
processor time is printed beside. Where other programs use the machine too, what both do per second of processor time says more.

The second sends truncated photos, pixel bombs, wrong types, wrong hosts, broken HTTP and slow clients, while an honest client
goes on asking: it counts what is answered wrongly or not at all, and how the server's memory grows after the first minute.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import random
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

import numpy as np

from tsugiki.data.sources.folders import photos_in

_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--hostile", action="store_true")
    parser.add_argument("--client-of", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    contents = [path.read_bytes() for path in photos_in(given.photos)[0][:200]]
    if given.client_of:
        print(json.dumps(_clients(given.client_of, contents, given.clients, given.seconds)))
    elif given.hostile:
        _hostile(given.run, contents, given.seconds)
    else:
        _throughput(given, contents)


@contextmanager
def _server(run: Path, *words: str) -> Iterator[tuple[int, int]]:
    """A server of its own process: its port and process number."""
    command = [sys.executable, "-m", "tsugiki", "serve", str(run), "--port", "0", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        line = process.stdout.readline() if process.stdout else ""
        port = re.search(r":(\d+)/", line)
        if port is None:
            raise SystemExit("the server did not start")
        try:
            yield int(port[1]), process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            print(f"the server ended with status {process.wait(timeout=60)}")


def _throughput(given: argparse.Namespace, contents: list[bytes]) -> None:
    cores = len(os.sched_getaffinity(0))
    limit, limit_alone = _limit(given.run, contents, min(given.seconds, 10))
    print(f"decoder and engine alone: {limit:.0f} photos/s on {cores} cores, {limit_alone:.0f} by processor time")
    with _server(given.run) as (port, process):
        command = [sys.executable, "-m", "benchmarks.serving", str(given.run), str(given.photos), "--client-of", str(port)]
        words = ["--clients", str(given.clients), "--seconds"]
        subprocess.run([*command, *words, "2"], stdout=subprocess.DEVNULL, check=True)  # warm
        before = _cpu(process)
        told = subprocess.run([*command, *words, str(given.seconds)], stdout=subprocess.PIPE, check=True)
        used = _cpu(process) - before
        found = json.loads(told.stdout)
        overhead = _overhead(port, process, contents[0])
    rate = found["photos"] / found["seconds"]
    alone = found["photos"] / used * cores
    print(f"{given.clients} clients: {rate:.0f} photos/s, {rate / limit:.2f} of that; {found['failed']} failed")
    print(f"seconds to an answer: p50 {found['p50']:.4f}, p90 {found['p90']:.4f}, p99 {found['p99']:.4f}")
    print(f"processor time: server {used:.1f} s, clients {found['cpu']:.1f} s, of {cores * found['seconds']:.1f} s")
    print(f"by its own processor time the server does {alone:.0f} photos/s, {alone / limit_alone:.2f} of that")
    print(f"of that, HTTP with a photo of {len(contents[0]) // 1000} kB: {1000 * overhead:.2f} ms per request")


def _limit(run: Path, contents: list[bytes], seconds: float) -> tuple[float, float]:
    """Photos per second of the same lanes without HTTP: by the clock, and by the processor time of all cores."""
    import asyncio

    from tsugiki.serving.lanes import Lanes, Photo
    from tsugiki.serving.limits import Limits
    from tsugiki.serving.models import Model

    model, lanes = Model.load(run), Lanes(Limits())
    photos = itertools.cycle([Photo(content) for content in contents])

    async def one_after_the_other(until: float) -> int:
        done = 0
        while time.perf_counter() < until:
            await lanes.ask(model.asked, [next(photos) for _ in range(16)])
            done += 16
        return done

    async def measured(length: float) -> tuple[float, float]:
        begun, used = time.perf_counter(), time.process_time()
        done = sum(await asyncio.gather(*(one_after_the_other(begun + length) for _ in range(3))))
        cores = len(os.sched_getaffinity(0))
        return done / (time.perf_counter() - begun), done / (time.process_time() - used) * cores

    asyncio.run(measured(1))
    rates = asyncio.run(measured(seconds))
    lanes.close()
    return rates


def _clients(port: int, contents: list[bytes], count: int, seconds: float) -> dict[str, float]:
    """Clients that each send one photo after the other over one connection, by one selector: threads would cost more."""
    import selectors

    requests = [
        b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/jpeg\r\ncontent-length: %d\r\n\r\n" % len(content)
        + content
        for content in contents
    ]
    turn, begun, times, failed = itertools.cycle(requests), time.perf_counter(), [], 0
    selector = selectors.DefaultSelector()
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(next(turn))
        selector.register(connection, selectors.EVENT_READ, [b"", time.perf_counter()])
    while time.perf_counter() - begun < seconds:
        for key, _ in selector.select(1):
            connection, state = cast("socket.socket", key.fileobj), key.data
            state[0] += connection.recv(65536)
            head, _, body = state[0].partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            if length is None or len(body) < int(length[1]):
                continue
            failed += not head.startswith(b"HTTP/1.1 200")
            times.append(time.perf_counter() - state[1])
            state[:] = [b"", time.perf_counter()]
            connection.sendall(next(turn))
    used = resource.getrusage(resource.RUSAGE_SELF)
    p50, p90, p99 = np.quantile(times, [0.5, 0.9, 0.99]).tolist()
    took = time.perf_counter() - begun
    cpu = used.ru_utime + used.ru_stime
    return {"photos": len(times), "seconds": took, "failed": failed, "p50": p50, "p90": p90, "p99": p99, "cpu": cpu}


def _overhead(port: int, process: int, content: bytes) -> float:
    """Seconds of processor time for a request that is refused once its body has been read."""
    head = b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    request = head % len(content) + content
    with socket.create_connection(("127.0.0.1", port)) as connection:
        before = _cpu(process)
        for _ in range(500):
            connection.sendall(request)
            connection.recv(65536)
        return (_cpu(process) - before) / 500


def _cpu(process: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _memory(process: int) -> float:
    """Megabytes that a process holds in memory."""
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _hostile(run: Path, contents: list[bytes], seconds: float) -> None:
    with _server(run, "--timeout", "5", "--max-megapixels", "20") as (port, process):
        stop = threading.Event()
        told: Counter[str] = Counter()
        threads = [threading.Thread(target=_attack, args=(port, contents, stop, told, seed)) for seed in range(4)]
        threads += [threading.Thread(target=_crawl, args=(port, stop, told))]
        honest = threading.Thread(target=_honest, args=(port, contents, stop, told))
        for thread in (*threads, honest):
            thread.start()
        begun, settled = time.perf_counter(), 0.0
        while (passed := time.perf_counter() - begun) < seconds:
            time.sleep(min(10, seconds - passed) or 0.1)
            now, passed = _memory(process), time.perf_counter() - begun
            if not settled and passed >= min(60, seconds / 4):
                settled = now
            print(
                f"{passed:5.0f} s: {now:.0f} MB, {sum(told.values())} requests, {_open_files(process)} files open", flush=True
            )
        stop.set()
        for thread in (*threads, honest):
            thread.join()
        time.sleep(6)  # until the last slow client is closed
        after = _memory(process)
        print(f"memory: {settled:.0f} MB once warm, {after:.0f} MB at the end ({after - settled:+.0f} MB)")
        print(f"files open at the end: {_open_files(process)}")
    for name, count in sorted(told.items()):
        print(f"{count:8} {name}")


def _open_files(process: int) -> int:
    return sum(1 for _ in Path(f"/proc/{process}/fd").iterdir())


def _honest(port: int, contents: list[bytes], stop: threading.Event, told: Counter[str]) -> None:
    """Ask about the same photos again and again: the answers must stay what they are."""
    expected: dict[int, bytes] = {}
    for turn in itertools.cycle(range(min(8, len(contents)))):
        if stop.is_set():
            return
        try:
            status, body = _post(port, "/v1/predict", contents[turn])
        except OSError as error:
            told[f"honest: no answer ({type(error).__name__})"] += 1
            continue
        if status != 200:
            told[f"honest: {status}"] += 1
            continue
        told["honest: as ever" if expected.setdefault(turn, body) == body else "honest: WRONG"] += 1


def _post(port: int, path: str, body: bytes, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def bomb(width: int, height: int) -> bytes:
    """A PNG of some hundred bytes that says it is huge."""
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(10_000_000))),
        (b"IEND", b""),
    ]
    chunks = [struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _attack(port: int, contents: list[bytes], stop: threading.Event, told: Counter[str], seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 (nothing here is secret)
    while not stop.is_set():
        photo = dice.choice(contents)
        kind = dice.choice(["cut", "noise", "bomb", "large", "json", "form", "v2", "host", "origin", "http", "leaves"])
        try:
            if kind == "http":
                lines = [
                    dice.randbytes(500),
                    b"GET / HTTP/9\r\n\r\n",
                    b"A" * 70_000,
                    b"POST / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
                ]
                with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
                    connection.sendall(dice.choice(lines))
                    told[f"http: {connection.recv(12)[9:].decode('ascii', 'replace') or 'closed'}"] += 1
            elif kind == "leaves":
                with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
                    connection.sendall(
                        b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 900000\r\n\r\n" + photo[:2000]
                    )
                told["leaves: gone"] += 1
            else:
                strange = {"host": {"host": "evil.example"}, "origin": {"origin": "http://evil.example"}}.get(kind, {})
                types = ["image/jpeg", "application/json", "multipart/form-data; boundary=x", "x"]
                told_type = {"json": types[1], "form": types[2]}.get(kind) or dice.choice(types)
                status, _ = _post(port, *_hostile_request(kind, photo, dice), content_type=told_type, **strange)  # type: ignore[arg-type]
                told[f"{kind}: {status}"] += 1
        except OSError as error:  # the server may close before all has been sent
            told[f"{kind}: {type(error).__name__}"] += 1


def _hostile_request(kind: str, photo: bytes, dice: random.Random) -> tuple[str, bytes]:
    if kind in {"host", "origin"}:
        return f"/v1/predict?model={kind}&top=-1", photo
    if kind == "v2":
        given = {"name": dice.choice(["photo", "image"]), "datatype": "UINT8", "shape": [1, 9, 9, 3], "data": [1] * 200}
        return "/v2/models/x/infer", json.dumps({"inputs": [given]}).encode()
    return "/v1/predict", _hostile_body(kind, photo, dice)


def _hostile_body(kind: str, photo: bytes, dice: random.Random) -> bytes:
    if kind == "cut":
        return photo[: dice.randrange(len(photo))]
    if kind == "noise":
        noisy = bytearray(photo)
        for _ in range(50):
            noisy[dice.randrange(len(noisy))] = dice.randrange(256)
        return bytes(noisy)
    if kind == "bomb":
        return bomb(*dice.choice([(100_000, 100_000), (4000, 4000), (30_000, 30_000)]))
    if kind == "large":
        return bytes(40_000_000)
    if kind == "json":
        return dice.choice([b"{", b"[" * 10**6, json.dumps({"photos": ["A" * 10**6]}).encode()])
    return b"--x\r\n" * dice.randrange(1, 10_000)


def _crawl(port: int, stop: threading.Event, told: Counter[str]) -> None:
    """Forty slow clients at a time, each a byte per second."""
    starts = [b"GET / HTTP/1.1\r\nx: ", b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 900\r\n\r\n"]
    clients: list[socket.socket] = []
    while not stop.is_set():
        while len(clients) < 40:
            with suppress(OSError):
                clients.append(socket.create_connection(("127.0.0.1", port), timeout=5))
                clients[-1].sendall(starts[len(clients) % 2])
        time.sleep(1)
        for client in list(clients):
            try:
                client.sendall(b"a")
            except OSError:
                told["slow: closed"] += 1
                clients.remove(client)
                client.close()
    for client in clients:
        client.close()


if __name__ == "__main__":
    main()
