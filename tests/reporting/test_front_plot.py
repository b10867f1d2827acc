"""What networks are worth against what they cost, as a picture."""

from tsugiki.inspection.rank.candidates import Candidate
from tsugiki.inspection.rank.ranked_network import RankedNetwork
from tsugiki.inspection.rank.ranking import Ranking
from tsugiki.reporting.plots.front_plot import draw_front, front


def network(name: str, score: float, milliseconds: float | None, parts: int = 1) -> RankedNetwork:
    return RankedNetwork(
        name,
        1,
        score,
        (score - 0.02, score + 0.02),
        0.1,
        100,
        100,
        50.0,
        milliseconds,
        1_000_000,
        4.0,
        "MIT",
        "torch",
        found_again=False,
        candidates=(Candidate(name),) * parts,
    )


ROWS = (
    network("a+b", 0.95, 30.0, 2),
    network("a", 0.93, 20.0),
    network("b", 0.90, 10.0),
    network("slow", 0.89, 25.0),
    network("as fast as b", 0.85, 10.0),
    network("nobody measured", 0.80, None),
)


def test_the_front_holds_what_nothing_faster_beats():
    measured = [row for row in ROWS if row.latency_ms is not None]
    assert [row.name for row in front(measured)] == ["b", "a", "a+b"]


def test_every_measured_network_is_drawn_and_the_recommended_one_is_marked():
    ranking = Ranking(ROWS, "a", "", (), "accuracy", 100, 0, 1.0, None)
    (axes,) = draw_front(ranking).axes
    labels = axes.get_legend_handles_labels()[1]
    assert {"one network", "several together", "recommended", "nothing faster is better"} == set(labels)
    names = {text.get_text() for text in axes.texts}
    assert names == {"a", "b", "a+b", "slow", "as fast as b"}
    drawn = [x for container in axes.containers for x in container[0].get_xdata()]
    assert sorted(drawn) == [10.0, 10.0, 20.0, 25.0, 30.0]


def test_no_name_covers_another_or_a_point():
    crowd = tuple(network(f"a network {place}", 0.9 + place / 1000, 10.0 + place / 100) for place in range(4))
    figure = draw_front(Ranking(crowd, "a network 0", "", (), "accuracy", 100, 0, 1.0, None))
    (axes,) = figure.axes
    figure.draw_without_rendering()
    lie = [text.get_window_extent() for text in axes.texts]
    assert not any(one.overlaps(other) for at, one in enumerate(lie) for other in lie[:at])
    points = [axes.transData.transform((row.latency_ms, 100 * row.score)) for row in crowd]
    assert not any(one.contains(*point) for one in lie for point in points)
