"""Figures: where things are drawn, and numbers that no figure may hide."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetalclip_edge.report.axis import Axis
from fetalclip_edge.report.charts.bars import Bar, BarChart
from fetalclip_edge.report.charts.confusion import ConfusionMatrix
from fetalclip_edge.report.charts.histogram import Histogram
from fetalclip_edge.report.charts.lines import LineChart, LinePoint, LineSeries
from fetalclip_edge.report.charts.points import BlandAltman, PointSeries, Scatter
from fetalclip_edge.report.panel import Panel

finite = st.floats(-1e6, 1e6).map(lambda x: round(x, 6))


@pytest.mark.parametrize(
    ("axis", "words"),
    [
        (Axis("a", 0.0, 1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (Axis("a", -10.0, 7.5), ["-10.0", "-7.5", "-5.0", "-2.5", "0.0", "2.5", "5.0", "7.5"]),
        (Axis("a", 50.0, 350.0), ["50", "100", "150", "200", "250", "300", "350"]),
        (Axis("a", 0.5, 200.0, log=True, marks=(1.0, 10.0, 100.0)), ["1", "10", "100"]),
    ],
)
def test_ticks_are_round_and_written_alike(axis: Axis, words: list[str]) -> None:
    assert [word for _, word in axis.ticks()] == words


@given(st.lists(finite, min_size=1, max_size=20))
def test_an_axis_holds_every_value_it_is_made_for(values: list[float]) -> None:
    axis = Axis.around(values, "a", "mm")
    slack = 1e-9 * (abs(axis.low) + abs(axis.high))
    assert axis.low <= min(values) + slack
    assert axis.high >= max(values) - slack
    assert 2 <= len(axis.ticks()) <= 12


def test_a_panel_puts_values_where_the_axes_say() -> None:
    panel = Panel(Axis("x", 0.0, 10.0), Axis("y", 1.0, 100.0, log=True), width=200, height=100)
    assert panel.x_px(0.0) == panel.left
    assert panel.x_px(10.0) == panel.wall
    assert panel.y_px(1.0) == panel.floor
    assert panel.y_px(100.0) == panel.top
    assert panel.y_px(10.0) == pytest.approx((panel.top + panel.floor) / 2)


def test_a_bar_is_as_long_as_its_value() -> None:
    svg = BarChart((Bar("a", 0.25), Bar("b", 1.0)), Axis("F1", 0.0, 1.0)).draw()
    quarter, whole = (float(w) for w in re.findall(r'width="([\d.]+)" height="18"', svg))
    assert quarter == pytest.approx(whole / 4, abs=0.01)


def test_bland_altman_says_bias_and_limits_with_their_sign() -> None:
    chart = BlandAltman((PointSeries("a", ((100.0, -3.0),)),), -0.5, (-4.0, 3.25), "HC", "mm")
    svg = chart.draw()
    assert all(word in svg for word in ("bias -0.50", "lower limit -4.00", "upper limit +3.25"))
    assert "measured - true (mm)" in svg
    assert "bias -0.50 mm" in chart.summary


def test_a_histogram_counts_every_value_once() -> None:
    values = tuple(float(v) for v in range(57))
    svg = Histogram(values, "a").draw()
    assert sum(int(n) for n in re.findall(r"<title>[^<]* to [^<]*: (\d+)</title>", svg)) == 57


def test_a_confusion_matrix_shades_by_row() -> None:
    svg = ConfusionMatrix(("a", "b"), ("a", "b"), ((1, 3), (0, 0))).draw()
    shades = [float(x) for x in re.findall(r'fill-opacity="([\d.]+)"', svg)]
    assert shades == [0.34, 0.78]  # 0.12 + 0.88 * share
    assert "a as b: 3 (75%)" in svg


@pytest.mark.parametrize(
    "make",
    [
        lambda x: Axis("a", 0.0, x),
        lambda x: Bar("a", x),
        lambda x: Bar("a", 1.0, (0.0, x)),
        lambda x: PointSeries("a", ((0.0, x),)),
        lambda x: BlandAltman((PointSeries("a", ()),), x, (0.0, 1.0), "HC", "mm"),
        lambda x: LinePoint(0.0, x),
        lambda x: Histogram((x,), "a"),
    ],
)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_number_that_is_none_is_refused(make: object, bad: float) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match="must be finite"):
        make(bad)


def test_figures_that_make_no_sense_are_refused() -> None:
    axis = Axis("a", 0.0, 1.0)
    with pytest.raises(ValueError, match="low < high"):
        Axis("a", 1.0, 1.0)
    with pytest.raises(ValueError, match="does not fit"):
        BarChart((Bar("a", 2.0),), axis)
    with pytest.raises(ValueError, match="at least one bar"):
        BarChart((), axis)
    with pytest.raises(ValueError, match="1 to 6 series"):
        Scatter((), axis, axis)
    with pytest.raises(ValueError, match="1 to 6 curves"):
        LineChart((LineSeries("a", (LinePoint(0.0, 0.0),)),) * 7, axis, axis)
    with pytest.raises(ValueError, match="at least one point"):
        LineSeries("a", ())
    with pytest.raises(ValueError, match="2 rows of 1"):
        ConfusionMatrix(("a", "b"), ("a",), ((1,), (1, 2)))
    with pytest.raises(ValueError, match="negative"):
        ConfusionMatrix(("a",), ("a",), ((-1,),))
