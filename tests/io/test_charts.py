"""Charts of pages: what is drawn where, and what they make of numbers that can't be drawn."""

from __future__ import annotations

import math

import pytest

from nanogan.io.charts import BOTTOM, HEIGHT, LEFT, MOST_ROWS, RIGHT, TOP, WIDTH, Axis, Chart, Line

NAN, INF = math.nan, math.inf


def chart(x: list[float], *lines: Line, **options: object) -> Chart:
    return Chart("Losses", "What D and G lose.", "epoch", x, lines, **options)  # type: ignore[arg-type]


def test_a_line_goes_from_corner_to_corner() -> None:
    drawing = chart([1, 2, 3], Line("D", [0.0, 1.0, 2.0])).drawing
    middle = f"{(LEFT + WIDTH - RIGHT) / 2:g} {(TOP + HEIGHT - BOTTOM) / 2:g}"
    assert drawing["lines"][0]["path"] == f"M{LEFT} {HEIGHT - BOTTOM}L{middle}L{WIDTH - RIGHT} {TOP}"


@pytest.mark.parametrize("bad", [NAN, INF, -INF, 1e300])
def test_what_cannot_be_drawn_leaves_a_gap_and_a_lone_point_is_a_dot(bad: float) -> None:
    drawn = chart([1, 2, 3, 4], Line("D", [0.0, 1.0, bad, 2.0])).drawing["lines"][0]
    assert drawn["path"].count("M") == 2 and drawn["path"].count("L") == 1
    assert drawn["dots"] == f"M{WIDTH - RIGHT} {TOP}h0"


@pytest.mark.parametrize("values", [[NAN], [0.0], [-5.0], [1e99], [1e-99]])
@pytest.mark.parametrize("log", [False, True])
def test_one_epoch_of_anything_is_drawn(values: list[float], log: bool) -> None:
    drawing = chart([1], Line("D", values), log=log).drawing
    assert [text for _, text in drawing["x_ticks"]] == ["1"]
    assert len(drawing["y_ticks"]) >= 2 and all(TOP <= y <= HEIGHT - BOTTOM for y, _ in drawing["y_ticks"])


def test_a_band_is_an_area_once_around_without_what_is_missing() -> None:
    band = ([0.0, NAN, 0.2], [1.0, 1.0, 0.8])
    drawn = chart([1, 2, 3], Line("D(x)", [0.5, 0.5, 0.5], band)).drawing["lines"][0]
    assert drawn["area"].count("M") == 1 and drawn["area"].count("L") == 3


def test_levels_and_limits_are_within_the_axis() -> None:
    drawing = chart([1, 2], Line("D", [0.5, 0.6]), levels={"equilibrium": 1.386}, limits=(0,)).drawing
    assert drawing["levels"] == [TOP]
    assert drawing["y_ticks"][0] == (HEIGHT - BOTTOM, "0")


def test_bars_stand_on_the_floor() -> None:
    drawn = chart([0, 1], Line("share", [0.0, 0.5]), limits=(0,), bars=True).drawing["lines"][0]
    assert [(y + height, height) for _, y, _, height in drawn["bars"]] == [
        (HEIGHT - BOTTOM, 0),
        (HEIGHT - BOTTOM, HEIGHT - BOTTOM - TOP),
    ]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (-3, 7, [-2, 0, 2, 4, 6]), (0, 0.0031, [0, 0.001, 0.002, 0.003])],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert Axis(low, high, 0, 100).ticks() == ticks


def test_ticks_of_epochs_are_whole_and_those_of_a_logarithmic_axis_powers_of_ten() -> None:
    assert Axis(1, 3, 0, 100).ticks(whole=True) == [1, 2, 3]
    assert Axis(1e-6, 1e4, 0, 100, log=True).ticks() == pytest.approx([1e-6, 1e-4, 1e-2, 1, 1e2, 1e4])


def test_the_table_has_the_numbers_and_says_when_it_leaves_rows_out() -> None:
    short = chart([1, 2], Line("D", [0.5, 0.6], ([0.1, 0.2], [0.8, 0.9]))).table
    assert short.columns == ["epoch", "D", "D, from", "to"]
    assert list(short.rows) == [(1, 0.5, 0.1, 0.8), (2, 0.6, 0.2, 0.9)]
    long = chart(list(range(1, 1001)), Line("D", [0.5] * 1000)).table
    assert long.caption == f"Losses ({MOST_ROWS} of 1,000 rows)"
    assert len(long.rows) == MOST_ROWS and (long.rows[0][0], long.rows[-1][0]) == (1, 1000)
