"""Draws a moving fetal head with a known circumference, for the demo and for end-to-end checks.

Made to look like the frames of HC18 (T. L. A. van den Heuvel et al., PLoS ONE 13(8), 2018). Over
its 410 frames with 155 to 195 mm, the annotated ellipse lies where the skull's echo has fallen
to about 0.7 of its peak on the outside, the peak 0.04 of the small half axis further in; the
peak is 180 of 255 where the skull faces the beam and 70 where it runs along it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.frame import Pixels
from fetalclip_edge.geometry import Ellipse, ellipse_circumference
from fetalclip_edge.region import Sector

_Map = NDArray[np.float32]

_SKULL_SHARE = 0.075
"""Thickness of the skull over the small half axis: 3.75 % of the biparietal diameter."""

_EDGE_SHARE = 0.02
"""Blur of the skull's edges (sigma), over the small half axis."""

_COMPOUND = 3
"""Looks that are added up in the speckle."""

_SPECKLE_PAD_PX = 40
"""How far the speckle can be shifted with the head."""


@dataclass(frozen=True, slots=True)
class PhantomFrame:
    """One drawing and the truth about it.

    Attributes:
        pixels: uint8, (H, W) gray.
        spacing_mm: size of the square pixels.
        true_hc_mm: circumference of `ellipse` by Ramanujan's second approximation.
        ellipse: outer edge of the skull, in pixels.
        sector: the drawn ultrasound.
    """

    pixels: Pixels
    spacing_mm: float
    true_hc_mm: float
    ellipse: Ellipse
    sector: Sector


def _sigmoid(x: _Map, sigma: float) -> _Map:
    """Returns 1 for x << 0, 0 for x >> 0: near enough an edge blurred by a Gaussian."""
    return np.asarray(1 / (1 + np.exp(np.clip(1.702 * x / sigma, -30, 30))), np.float32)


def _noise(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> _Map:
    """Returns smooth noise of mean 0 and deviation 1; drawn coarse, as it is smooth."""
    step = max(1.0, sigma / 3)
    coarse = (math.ceil(shape[0] / step) + 2, math.ceil(shape[1] / step) + 2)
    field = rng.standard_normal(coarse).astype(np.float32)
    field = np.asarray(cv2.GaussianBlur(field, (0, 0), sigma / step), np.float32)
    field = np.asarray(cv2.resize(field, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)
    return np.asarray((field - field.mean()) / field.std(), np.float32)


class Phantom:
    """A fetal head in an ultrasound sector; the same seed and time draw the same pixels.

    Args:
        seed: chooses size, shape, direction, gain and tissue; HC is 160 to 190 mm.
        size_hw: rows and columns, at least 128 x 128.
        spacing_mm: size of a pixel, or None for one at which the head fills the picture as in
            HC18 (0.11 to 0.15 mm at 540 x 800).

    Raises:
        ValueError: the size is too small, or the head does not fit at the spacing asked for.
    """

    def __init__(
        self,
        seed: int = 1,
        size_hw: tuple[int, int] = (540, 800),
        spacing_mm: float | None = None,
    ) -> None:
        if min(size_hw) < 128:
            raise ValueError(f"a phantom needs 128 pixels a side, got {size_hw}")
        rng = np.random.default_rng(seed)
        self._size_hw = size_hw
        height, width = size_hw
        extent = min(width, height * 800 / 540)
        hc_mm, ratio = rng.uniform(160, 190), rng.uniform(0.74, 0.82)
        fill = rng.uniform(1.5, 1.72)
        self.spacing_mm = hc_mm / (fill * extent) if spacing_mm is None else spacing_mm
        self._a = hc_mm / ellipse_circumference(1.0, ratio) / self.spacing_mm
        self._b = self._a * ratio
        if self._a > 0.49 * width or self._b > 0.46 * height:
            raise ValueError(f"the head does not fit into {size_hw} at {self.spacing_mm} mm")
        self._angle = math.radians(rng.uniform(-10, 10))
        self._center = (
            width * (0.49 + rng.uniform(-0.02, 0.02)),
            height * (0.51 + rng.uniform(-0.02, 0.02)),
        )
        self._sway = extent * rng.uniform(0.006, 0.012)
        self._phases = rng.uniform(0, 2 * math.pi, 3)
        self._flip = 1 if rng.random() < 0.5 else -1
        self._gain = rng.uniform(0.95, 1.25)
        self._make_fan()
        self._head = self._draw_head(rng)
        self._tissue = self._draw_tissue(rng)
        self._speckle = self._draw_speckle(rng)
        # the skull is a mirror, not a cloud of scatterers: its echo is smoother
        self._speckle_soft = np.asarray(0.5 + 0.5 * self._speckle, np.float32)
        self._furniture = self._draw_furniture()

    @property
    def true_hc_mm(self) -> float:
        """Circumference of the skull's outer edge."""
        return ellipse_circumference(self._a, self._b) * self.spacing_mm

    def draw(self, t_s: float) -> PhantomFrame:
        """Returns the picture at a time.

        Args:
            t_s: seconds from the start; any number.
        """
        height, width = self._size_hw
        dx = self._sway * math.sin(2 * math.pi * t_s / 5.3 + self._phases[0])
        dy = 0.6 * self._sway * math.sin(2 * math.pi * t_s / 3.7 + self._phases[1])
        turn = math.radians(1.5) * math.sin(2 * math.pi * t_s / 7.1 + self._phases[2])
        x, y = self._center
        cos, sin = math.cos(turn), math.sin(turn)
        move = np.array(
            [[cos, -sin, x - cos * x + sin * y + dx], [sin, cos, y - sin * x - cos * y + dy]]
        )
        head = cv2.warpAffine(self._head, move, (width, height), flags=cv2.INTER_LINEAR)
        echo, uncovered = cv2.split(head)
        # speckle belongs to the tissue and moves with it, in whole pixels
        top, left = _SPECKLE_PAD_PX - round(dy), _SPECKLE_PAD_PX - round(dx)
        here = np.s_[top : top + height, left : left + width]
        scene = cv2.multiply(self._tissue, uncovered, scale=1 / 255, dtype=cv2.CV_32F)
        scene = cv2.multiply(scene, self._speckle[here])
        echo = cv2.multiply(echo, self._speckle_soft[here], dtype=cv2.CV_32F)
        scene = cv2.add(scene, echo)
        pixels = np.asarray(cv2.convertScaleAbs(scene, alpha=self._gain), np.uint8)
        pixels = np.asarray(cv2.bitwise_and(pixels, self._fan), np.uint8)
        pixels = np.asarray(cv2.max(pixels, self._furniture), np.uint8)
        ellipse = Ellipse((x + dx, y + dy), self._a, self._b, (self._angle + turn) % math.pi)
        return PhantomFrame(pixels, self.spacing_mm, self.true_hc_mm, ellipse, self._sector)

    def _make_fan(self) -> None:
        """Sets the beams' angle and depth at each pixel, and the fan they cover."""
        height, width = self._size_hw
        apex = (width / 2, -0.95 * height)
        y, x = np.mgrid[:height, :width].astype(np.float32)
        self._x, self._y = x, y
        self._depth = np.hypot(x - apex[0], y - apex[1])
        self._beam = np.arctan2(x - apex[0], y - apex[1])
        # the fan leaves the picture's sides at about 0.6 of its height
        half = math.atan2(0.5 * width, 0.6 * height - apex[1])
        near, far = 0.97 * height, 1.93 * height
        inside = (abs(self._beam) < half) & (self._depth > near) & (self._depth < far)
        self._fan = np.asarray(np.where(inside, 255, 0), np.uint8)
        self._half, self._near, self._far = half, near, far
        points = cv2.findNonZero(self._fan)
        hull = np.asarray(cv2.convexHull(points)).reshape(-1, 2)
        self._sector = Sector.from_polygon(tuple((int(px), int(py)) for px, py in hull))

    def _head_coordinates(self) -> tuple[_Map, _Map]:
        """Returns (u, v): along the long and the short axis of the head at rest, in pixels."""
        x, y = self._x - self._center[0], self._y - self._center[1]
        cos, sin = math.cos(self._angle), math.sin(self._angle)
        return np.asarray(cos * x + sin * y, np.float32), np.asarray(-sin * x + cos * y, np.float32)

    def _edge_distance(self, u: _Map, v: _Map) -> tuple[_Map, _Map]:
        """Returns (distance from the outer edge, > 0 outside; |cos| of beam and normal)."""
        level = np.sqrt((u / self._a) ** 2 + (v / self._b) ** 2) + 1e-6
        du, dv = u / (self._a**2 * level), v / (self._b**2 * level)
        slope = np.hypot(du, dv) + 1e-9
        cos, sin = math.cos(self._angle), math.sin(self._angle)
        normal_x, normal_y = (cos * du - sin * dv) / slope, (sin * du + cos * dv) / slope
        facing = abs(normal_x * np.sin(self._beam) + normal_y * np.cos(self._beam))
        distance = np.minimum((level - 1) / slope, 4 * self._b)
        return np.asarray(distance, np.float32), np.asarray(facing, np.float32)

    def _draw_head(self, rng: np.random.Generator) -> Pixels:
        """Returns uint8 (H, W, 2): echo of the head at rest, and how much tissue shows through."""
        u, v = self._head_coordinates()
        distance, facing = self._edge_distance(u, v)
        edge = _EDGE_SHARE * self._b
        thick = _SKULL_SHARE * self._b * (1 + 0.12 * _noise(rng, self._size_hw, 60))
        skull = _sigmoid(distance, edge) * (1 - _sigmoid(distance + thick, 2.2 * edge))
        # strong where it faces the beam; what runs along the beam breaks up
        gaps = np.clip(0.95 + 0.4 * _noise(rng, self._size_hw, 22), 0.2, 1)
        strength = 62 + 170 * facing**1.6
        strength *= np.where(facing < 0.55, gaps, 1 - 0.3 * (1 - gaps))
        brain = self._draw_brain(rng, u / self._a * self._flip, v / self._b)
        inside = _sigmoid(distance, edge)
        echo = np.maximum(brain * inside, strength * skull)
        # reverberation: the near skull throws a haze on the half beneath it
        echo += 14 * inside * np.clip(-v / self._b, 0, 1)
        layers = np.stack([np.clip(echo, 0, 255), 255 * (1 - inside)], axis=-1)
        return np.asarray(layers, np.uint8)

    def _draw_brain(self, rng: np.random.Generator, u: _Map, v: _Map) -> _Map:
        """Returns the echo inside the skull; `u`, `v` in half axes, `u` > 0 the forehead."""
        brain = 24 + 7 * _noise(rng, self._size_hw, 30) + 5 * _noise(rng, self._size_hw, 8)

        def streak(at: tuple[float, float], size: tuple[float, float], gray: float) -> _Map:
            spot = np.exp(-(((u - at[0]) / size[0]) ** 4) - ((v - at[1]) / size[1]) ** 2)
            return np.asarray(gray * spot, np.float32)

        broken = np.clip(0.75 + 0.45 * _noise(rng, self._size_hw, 14), 0.1, 1.3)
        brain += streak((-0.35, 0.0), (0.55, 0.016), 75) * broken  # falx, behind
        brain += streak((0.72, 0.0), (0.2, 0.016), 75) * broken  # falx, in front
        brain += streak((0.42, -0.06), (0.12, 0.018), 110) + streak((0.42, 0.06), (0.12, 0.018), 95)
        brain *= 1 - streak((0.42, 0.0), (0.1, 0.04), 0.8)  # cavum septi pellucidi
        brain += streak((0.1, 0.1), (0.14, 0.1), 18) + streak((0.1, -0.1), (0.14, 0.1), 18)
        brain *= 1 - streak((-0.45, 0.38), (0.3, 0.1), 0.75)  # far ventricle
        brain += streak((-0.45, 0.25), (0.24, 0.02), 90) * broken
        brain += streak((-0.4, 0.42), (0.13, 0.09), 80)  # choroid plexus
        brain += streak((0.3, 0.5), (0.25, 0.02), 40) * broken
        return np.asarray(np.clip(brain, 4, 255), np.float32)

    def _draw_tissue(self, rng: np.random.Generator) -> _Map:
        """Returns the echo around the head, with fluid and with the shadows of its sides."""
        shape = self._size_hw
        distance, facing = self._edge_distance(*self._head_coordinates())
        layered = _noise(rng, (shape[0], max(8, shape[1] // 6)), 12)
        layered = np.asarray(cv2.resize(layered, shape[::-1]), np.float32)
        tissue = 58 + 18 * _noise(rng, shape, 40) + 14 * layered
        tissue = tissue * (0.45 + 0.55 * facing)
        fluid = _sigmoid(1.05 - _noise(rng, shape, 45) + 2 * distance / self._b, 0.25)
        tissue *= 1 - 0.85 * fluid * _sigmoid(-distance, 0.05 * self._b)
        level = self._depth - self._near
        head_level = math.hypot(self._center[1] + 0.95 * shape[0], 0) - self._near
        below = 1 - _sigmoid(np.asarray(level - head_level, np.float32), 0.15 * self._b)
        for side in (-1, 1):
            edge = (self._center[0] + side * 0.97 * self._a - shape[1] / 2) / (
                self._center[1] + 0.95 * shape[0]
            )
            shadow = np.exp(-(((self._beam - math.atan(edge)) / 0.045) ** 2))
            tissue *= 1 - 0.7 * shadow * below
        return np.asarray(np.clip(tissue, 2, 200), np.float32)

    def _draw_speckle(self, rng: np.random.Generator) -> _Map:
        """Returns the speckle, padded on all sides: mean 1, wider across the beam and in depth.

        The magnitude of a complex Gaussian field is Rayleigh distributed (fully developed
        speckle); carts add looks from several directions (compounding), so three are added.
        """
        pad = _SPECKLE_PAD_PX
        height, width = self._size_hw
        rows, beams = round(self._far - self._near) + 4 * pad, round(0.8 * width) + 4 * pad
        parts = [
            cv2.GaussianBlur(
                rng.standard_normal((rows, beams)).astype(np.float32), (0, 0), 3.6, sigmaY=1.5
            )
            for _ in range(2 * _COMPOUND)
        ]
        polar = sum(
            (
                np.hypot(real, imaginary)
                for real, imaginary in zip(parts[::2], parts[1::2], strict=True)
            ),
            np.zeros((rows, beams), np.float32),
        )
        y, x = np.mgrid[-pad : height + pad, -pad : width + pad].astype(np.float32)
        x, y = x - width / 2, y + 0.95 * height
        beam = (np.arctan2(x, y) / (2 * self._half) + 0.5) * 0.8 * width + 2 * pad
        depth = np.hypot(x, y) - self._near + 2 * pad
        field = cv2.remap(
            polar.astype(np.float32),
            beam.astype(np.float32),
            depth.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT,
        )
        return np.asarray(0.3 + 0.7 * field / field.mean(), np.float32)

    def _draw_furniture(self) -> Pixels:
        """Returns what a cart draws beside the sector: gray bar, ruler, text."""
        height, width = self._size_hw
        screen = np.zeros((height, width), np.uint8)
        bar = np.linspace(255, 20, max(1, height // 4)).astype(np.uint8)
        screen[height // 40 : height // 40 + len(bar), : max(2, width // 130)] = bar[:, None]
        for row in np.arange(0, height, 10 / self.spacing_mm):  # one tick a centimetre
            screen[int(row) : int(row) + 2, width - 6 :] = 200
        scale = height / 1400
        for line, text in enumerate(("PHANTOM", f"HC {self.true_hc_mm:.0f}", "not a patient")):
            place = (round(0.86 * width), round((0.04 + 0.03 * line) * height))
            cv2.putText(screen, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, 170, 1, cv2.LINE_AA)
        outside = cv2.bitwise_and(screen, cv2.bitwise_not(self._fan))
        return np.asarray(outside, np.uint8)
