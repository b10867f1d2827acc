"""Little of everything: a plain locale, folders without end, threads side by side."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

import tsugiki as tg
from tsugiki.core.console import quiet

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="attacks fork, and limit address space")


@pytest.mark.robust("hostile", case="100,000 photos in a folder", right="listed in less than 2 KB of memory for each")
@pytest.mark.parametrize("count", [3000, pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_a_folder_of_many_photos_is_listed_in_bounded_memory(count, tmp_path):
    from tools.attack.resources import list_many

    _, peak = list_many(tmp_path / "many", count)
    assert peak * 1e6 < 2000 * count


@pytest.mark.robust(
    "hostile", case="the locale C, in which Python would write ASCII only", right="every name is read and shown"
)
def test_in_the_locale_c_names_are_shown_all_the_same(run_cli, dish_run, dishes, tmp_path):
    run = tg.save_run(dish_run, tmp_path / "走る")
    photo = tmp_path / "写真 é.jpg"
    photo.write_bytes(min((dishes / "test" / "pizza").iterdir()).read_bytes())
    done = run_cli("predict", run, photo, LC_ALL="C", LANG="C")
    assert done.returncode == 0, done.stderr
    assert "写真 é.jpg" in done.stdout


@pytest.mark.robust("hostile", case="one classifier asked in eight threads at once", right="each has the answer of one alone")
def test_threads_have_the_answers_of_one_alone(dish_run, dishes):
    photos = sorted((dishes / "test").rglob("*.jpg"))[:16]
    with quiet():
        alone = [dish_run.classifier.predict(path).probabilities for path in photos]
        with ThreadPoolExecutor(8) as pool:
            together = [answer.probabilities for answer in pool.map(dish_run.classifier.predict, photos)]
    assert together == alone
