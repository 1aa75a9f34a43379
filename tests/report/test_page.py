"""The page: well-formed, escaped, in need of nothing else, written whole or not at all."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from fetalclip_edge.errors import ImageError, SinkError
from fetalclip_edge.report.axis import Axis
from fetalclip_edge.report.blocks import (
    MAX_PICTURE_PX,
    Block,
    Column,
    Figure,
    Heading,
    Note,
    Paragraph,
    Picture,
    PictureGrid,
    Table,
)
from fetalclip_edge.report.charts.bars import Bar, BarChart
from fetalclip_edge.report.charts.confusion import ConfusionMatrix
from fetalclip_edge.report.charts.histogram import Histogram
from fetalclip_edge.report.charts.lines import LineChart, LinePoint, LineSeries
from fetalclip_edge.report.charts.points import BlandAltman, PointSeries, Scatter
from fetalclip_edge.report.page import Page

EVIL = "</title></style><script>alert('x')</script> & \"quoted\" \x00\ud800"
VOID = {"meta", "img", "col"}


class Reader(HTMLParser):
    """Collects what a page holds, and fails where an end tag does not close what is open."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(key, value or "") for key, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def read(page: Page) -> Reader:
    reader = Reader()
    reader.feed(page.html())
    reader.close()
    assert reader.open == []
    return reader


def every_block(words: str) -> tuple[Block, ...]:
    series = (PointSeries(words, ((1.0, 2.0), (3.0, 1.0))), PointSeries("b", ((2.0, -1.0),)))
    axis = Axis(words, 0.0, 4.0, words)
    curve = LineSeries(words, (LinePoint(1.0, 0.5, (0.2, 0.9)), LinePoint(3.0, 1.0)))
    log = Axis(words, 0.5, 5.0, log=True, marks=(1.0, 3.0))
    gray = np.full((40, 60), 90, np.uint8)
    return (
        Heading(words),
        Paragraph(words),
        Note(words),
        Table((Column(words), Column("n", numeric=True)), ((words, "1"),), words),
        Figure(BarChart((Bar(words, 1.0, (0.5, 2.0), words),), axis), words),
        Figure(Scatter(series, axis, Axis(words, -2.0, 3.0), identity=True), words),
        Figure(BlandAltman(series, 0.5, (-1.0, 2.0), words, words), words),
        Figure(LineChart((curve,), log, Axis(words, 0.0, 1.0)), words),
        Figure(Histogram((0.1, 0.2, 0.2), words, words), words),
        Figure(ConfusionMatrix((words,), (words, "b"), ((3, 1),)), words),
        PictureGrid((Picture(gray, words),)),
    )


def test_words_never_become_markup() -> None:
    reader = read(Page(EVIL, EVIL, every_block(EVIL)))
    assert "script" not in reader.tags
    assert reader.words.count("<script>alert('x')</script> & \"quoted\"") > 20
    assert "\x00" not in reader.words
    assert "alert" not in "".join(key for key, _ in reader.attributes)
    Page(EVIL, EVIL, every_block(EVIL)).html().encode("utf-8")


def test_the_page_needs_nothing_else() -> None:
    page = Page("a", "b", every_block("words"))
    reader = read(page)
    assert not {"script", "link", "iframe", "object", "a", "form", "base"} & set(reader.tags)
    references = [v for k, v in reader.attributes if k in ("src", "href", "xlink:href", "action")]
    assert references
    assert all(value.startswith("data:image/png;base64,") for value in references)
    assert not [key for key, _ in reader.attributes if key.startswith("on") or key == "style"]
    assert not re.search(r"url\(|@import|https?:", page.html())
    policies = [v for k, v in reader.attributes if k == "content" and "default-src" in v]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_the_same_blocks_give_the_same_bytes() -> None:
    assert Page("a", "b", every_block("c")).html() == Page("a", "b", every_block("c")).html()


def test_every_figure_can_be_read_out() -> None:
    html = Page("a", "b", every_block("words")).html()
    assert html.count("<svg><title>") == 0  # each has its size and role
    assert len(re.findall(r"<svg [^>]*role=\"img\"><title>[^<]{10,}</title>", html)) == 6


def test_a_picture_is_shrunk_and_comes_back_whole() -> None:
    pixels = np.zeros((1000, 500, 3), np.uint8)
    pixels[:, :, 2] = 200
    data = re.search(r"base64,([^\"]+)", Picture(pixels, "red").draw())
    assert data is not None
    back = cv2.imdecode(np.frombuffer(base64.b64decode(data[1]), np.uint8), cv2.IMREAD_COLOR)
    assert back is not None
    assert back.shape == (MAX_PICTURE_PX, MAX_PICTURE_PX // 2, 3)
    assert back[5, 5].tolist() == [0, 0, 200]


def test_a_block_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="level must be 2 or 3"):
        Heading("a", 1)
    with pytest.raises(ValueError, match="2 cells"):
        Table((Column("a"), Column("b")), (("only one",),))
    with pytest.raises(ImageError):
        Picture(np.zeros((40, 40), np.float32), "a")


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    target.write_text("the old one")
    code = (
        "import resource, sys; from pathlib import Path;"
        "from fetalclip_edge.report.page import Page;"
        "from fetalclip_edge.report.blocks import Paragraph;"
        "from fetalclip_edge.errors import SinkError;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000));\n"
        "try:\n    Page('a', 'b', (Paragraph('c' * 10**5),)).write(Path(sys.argv[1]))\n"
        "except SinkError:\n    sys.exit(3)\n"
    )
    command = [sys.executable, "-c", code, str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert target.read_text() == "the old one"
    assert list(tmp_path.iterdir()) == [target]


def test_a_place_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SinkError, match="choose another place"):
        Page("a", "b", ()).write(tmp_path / "file" / "page.html")
