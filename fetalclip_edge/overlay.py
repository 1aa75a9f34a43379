"""What a sonographer sees: contour and calipers on the picture, words in a panel below it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.frame import Pixels
from fetalclip_edge.geometry import Ellipse
from fetalclip_edge.result import Measurement, Result
from fetalclip_edge.signal import SignalState
from fetalclip_edge.sinks.base import Report

Color = tuple[int, int, int]
CONTOUR: Color = (80, 220, 255)
CALIPER: Color = (255, 220, 80)
TEXT: Color = (235, 235, 235)
DIM: Color = (150, 150, 150)
STATE_COLOR: dict[SignalState, Color] = {
    SignalState.LIVE: (110, 220, 110),
    SignalState.STALE: (60, 170, 255),
    SignalState.FROZEN: (255, 180, 90),
    SignalState.NO_SIGNAL: (80, 80, 255),
}
_SHIFT = 4
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def panel_height(frame_height: int, lines: int = 4) -> int:
    """Returns the rows of the panel below a frame; the anatomy is never covered by words."""
    return lines * _line_height(frame_height) + 6


def _line_height(frame_height: int) -> int:
    return int(np.clip(frame_height * 0.042, 13, 34))


def draw_overlay(report: Report, size_hw: tuple[int, int] = (480, 640)) -> Pixels:
    """Returns the picture with its overlay, uint8 (H + panel, W, 3) BGR.

    Args:
        report: what is known at this turn. Without a frame the picture is black: a measurement
            or an overlay never outlives its frame.
        size_hw: size of the black picture when no frame arrived.
    """
    frame = report.frame
    if frame is None:
        picture = np.zeros((*size_hw, 3), np.uint8)
    elif frame.pixels.ndim == 2:
        picture = np.asarray(cv2.cvtColor(frame.pixels, cv2.COLOR_GRAY2BGR), np.uint8)
    else:
        picture = frame.pixels.copy()
    height, width = picture.shape[:2]
    shown = any(
        m.value_mm is not None for m in (report.result.measurements if report.result else ())
    )
    if report.result is not None and shown:
        for structure in report.result.structures:
            if structure.geometry is not None:
                _draw_ellipse(picture, structure.geometry)
    lines = _lines(report)
    panel = np.full((panel_height(height, len(lines)), width, 3), 18, np.uint8)
    _write(panel, _line_height(height), lines)
    return np.vstack([picture, panel])


def _draw_ellipse(picture: Pixels, ellipse: Ellipse) -> None:
    one = 1 << _SHIFT
    thickness = max(1, round(picture.shape[0] / 360))
    cv2.ellipse(
        picture,
        (round(ellipse.center_xy[0] * one), round(ellipse.center_xy[1] * one)),
        (round(ellipse.semi_major * one), round(ellipse.semi_minor * one)),
        float(np.degrees(ellipse.angle_rad)),
        0.0,
        360.0,
        CONTOUR,
        thickness,
        cv2.LINE_AA,
        _SHIFT,
    )
    ends = [(round(x * one), round(y * one)) for x, y in ellipse.vertices()]
    arm = max(4, picture.shape[0] // 90) * one
    for first, second in ((ends[0], ends[1]), (ends[2], ends[3])):
        cv2.line(picture, first, second, CALIPER, 1, cv2.LINE_AA, _SHIFT)
    for x, y in ends:
        cv2.line(picture, (x - arm, y), (x + arm, y), CALIPER, thickness, cv2.LINE_AA, _SHIFT)
        cv2.line(picture, (x, y - arm), (x, y + arm), CALIPER, thickness, cv2.LINE_AA, _SHIFT)


def _measured(item: Measurement) -> str:
    name = {"BPD": "BPD (o-o)"}.get(item.kind, item.kind)
    value = item.display_mm if item.display_mm is not None else item.value_mm
    return f"{name} --" if value is None else f"{name} {value:.1f} mm"


def _lines(report: Report) -> list[list[tuple[str, Color]]]:
    """Returns rows of the panel, each a list of words with a colour."""
    result, frame = report.result, report.frame
    measurements = () if result is None else result.measurements
    values = [(_measured(m), TEXT if m.value_mm is not None else DIM) for m in measurements]
    reasons = list(dict.fromkeys(m.withheld_reason for m in measurements if m.withheld_reason))
    plane = None if result is None else result.plane
    plane_words = "" if plane is None else f"plane: {plane.label} {plane.confidence:.0%}"
    if frame is None:
        scale = ""
    elif frame.scale is None:
        scale = "scale: unknown"
    else:
        scale = f"scale: {frame.scale.origin.value}"
    third: list[tuple[str, Color]] = [(plane_words, TEXT), (scale, DIM)]
    if reasons:
        third.append((f"withheld: {', '.join(reasons)}", STATE_COLOR[SignalState.STALE]))
    speed = f"{report.rate_hz:.0f} /s   p99 {report.p99_ms:.1f} ms" if report.rate_hz else ""
    state = [(report.state.value, STATE_COLOR[report.state]), (speed, DIM)]
    if report.message:
        state.append((report.message, STATE_COLOR[SignalState.NO_SIGNAL]))
    lines = [values[:1] or [("", TEXT)], values[1:] or [("", TEXT)], third, state]
    by_text = [] if result is None else _by_text(result)
    if by_text:
        lines.insert(3, [(words, DIM) for words in (*by_text, "not clinical")])
    return lines


def _by_text(result: Result) -> list[str]:
    """Returns what the text banks say; nothing where the bundle has none."""
    words = [f"{item.head}: {item.label} {item.confidence:.0%}" for item in result.zero_shot]
    age = result.gestational_age
    if age is not None and age.ga_days is not None:
        words.append(f"{age.bank}: {age.ga_days // 7}w{age.ga_days % 7}d")
    elif age is not None:
        words.append(f"{age.bank}: -- ({age.withheld_reason})")
    return words


def _write(panel: NDArray[np.uint8], line_height: int, rows: list[list[tuple[str, Color]]]) -> None:
    scale = line_height / 30.0
    gap = line_height
    for number, row in enumerate(rows):
        widths = [cv2.getTextSize(text, _FONT, scale, 1)[0][0] for text, _ in row]
        needed = sum(widths) + gap * len(row) + 6
        shrink = min(1.0, panel.shape[1] / max(1, needed))  # a long reason must stay readable whole
        x, y = 6, (number + 1) * line_height - line_height // 4 + 2
        for (text, color), width in zip(row, widths, strict=True):
            cv2.putText(panel, text, (int(x), y), _FONT, scale * shrink, color, 1, cv2.LINE_AA)
            x += (width + gap) * shrink
