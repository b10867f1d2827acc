"""What the server counts about itself, told in Prometheus' text format (version 0.0.4).

Labels have few values: routes and not addresses, classes and not names that a stranger sent.
"""

from __future__ import annotations

import bisect
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from tsugiki.serving.drift_watch import DISTANCE_EDGES, DriftWatch

if TYPE_CHECKING:
    from tsugiki.serving.lanes import Lanes

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Counters:
    """Requests by route and status, how long they took, and photos; may be called from any thread."""

    def __init__(self) -> None:
        self.begun = time.time()
        self.requests: Counter[tuple[str, int]] = Counter()
        self.photos: Counter[tuple[str, str]] = Counter()
        self.inside = 0
        """Requests that are being answered."""
        self.bytes_inside = 0
        """Bytes of requests that are held."""
        self._seconds = [0] * (len(_EDGES) + 1)
        self._sum = 0.0
        self._lock = threading.Lock()

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        with self._lock:
            self.requests[route, status] += 1
            self._seconds[bisect.bisect_left(_EDGES, seconds)] += 1
            self._sum += seconds

    def text(self, lanes: Lanes, watches: Mapping[str, DriftWatch]) -> str:
        """All of it, a line per number."""
        with self._lock:
            lines = [*self._lines(lanes), *_drift_lines(watches)]
        return "\n".join(lines) + "\n"

    def _lines(self, lanes: Lanes) -> Iterable[str]:
        yield from _head("tsugiki_requests_total", "counter", "Requests by route and status of HTTP.")
        for (route, status), count in sorted(self.requests.items()):
            yield _line("tsugiki_requests_total", count, route=route, status=str(status))
        yield from _head("tsugiki_request_seconds", "histogram", "Seconds from the headers of a request to its answer.")
        yield from _histogram("tsugiki_request_seconds", _EDGES, self._seconds, self._sum)
        yield from _head("tsugiki_photos_total", "counter", "Photos by classifier and by what became of them.")
        for (name, outcome), count in sorted(self.photos.items()):
            yield _line("tsugiki_photos_total", count, model=name, outcome=outcome)
        gauges = {
            "tsugiki_requests_inside": (self.inside, "Requests that are being answered."),
            "tsugiki_photos_inside": (lanes.photos_inside, "Photos that wait or are computed."),
            "tsugiki_bytes_inside": (self.bytes_inside, "Bytes of requests that are held in memory."),
            "tsugiki_start_time_seconds": (self.begun, "When the server began, in seconds since 1970."),
        }
        for name, (value, what) in gauges.items():
            yield from _head(name, "gauge", what)
            yield _line(name, value)


def _drift_lines(watches: Mapping[str, DriftWatch]) -> Iterable[str]:
    yield from _head("tsugiki_answers_total", "counter", "Answers by classifier and class.")
    for model, watch in watches.items():
        for label, count in watch.answered.items():
            yield _line("tsugiki_answers_total", count, **{"model": model, "class": label})
    yield from _head("tsugiki_unknown_total", "counter", "Photos that are unlike the training photos.")
    for model, watch in watches.items():
        yield _line("tsugiki_unknown_total", watch.unknown, model=model)
    name = "tsugiki_distance_ratio"
    yield from _head(name, "histogram", "Distance to the nearest training photo, 1 where a photo begins to be unknown.")
    for model, watch in watches.items():
        if watch.threshold is not None:
            total = watch.distance_sum / max(watch.threshold, 1e-9)
            yield from _histogram(name, DISTANCE_EDGES, watch.distances, total, model=model)
    yield from _head("tsugiki_unknown_expected_ratio", "gauge", "The share of unknown photos among the held-out ones.")
    for model, watch in watches.items():
        yield _line("tsugiki_unknown_expected_ratio", watch.expected.unknown, model=model)
    yield from _head("tsugiki_drift_level", "gauge", "How strongly unknown photos speak for a change; 1 is an alarm.")
    for model, watch in watches.items():
        yield _line("tsugiki_drift_level", watch.alarm_level(), model=model)
    yield from _alarm_lines(watches)


def _alarm_lines(watches: Mapping[str, DriftWatch]) -> Iterable[str]:
    yield from _head("tsugiki_drift_alarm", "gauge", "1 where the photos are found unlike the training photos.")
    for model, watch in watches.items():
        kinds = {alarm.kind for alarm in watch.alarms}
        yield _line("tsugiki_drift_alarm", int("unknown" in kinds), model=model, kind="unknown")
        yield _line("tsugiki_drift_alarm", int(bool(kinds - {"unknown"})), model=model, kind="classes")
    yield from _head("tsugiki_drift_since_seconds", "gauge", "When that seems to have begun, in seconds since 1970.")
    for model, watch in watches.items():
        for alarm in watch.alarms:
            labels = {"model": model, "kind": alarm.kind, "class": alarm.label}
            yield _line("tsugiki_drift_since_seconds", alarm.since, **labels)


def _head(name: str, kind: str, what: str) -> tuple[str, str]:
    return f"# HELP {name} {what}", f"# TYPE {name} {kind}"


def _histogram(name: str, edges: Iterable[float], counts: list[int], total: float, **labels: str) -> Iterable[str]:
    below = 0
    for edge, count in zip(edges, counts, strict=False):
        below += count
        yield _line(f"{name}_bucket", below, **labels, le=f"{edge:g}")
    yield _line(f"{name}_bucket", sum(counts), **labels, le="+Inf")
    yield _line(f"{name}_sum", total, **labels)
    yield _line(f"{name}_count", sum(counts), **labels)


def _line(name: str, value: float, **labels: str) -> str:
    told = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{told}}} {value!r}" if told else f"{name} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
