"""The real Python bindings of TensorRT, importable where there is no TensorRT and no GPU.

The wheels of the bindings hold every class, enum and signature; their one shared object needs
three libraries of nine functions, which a dozen lines of C stand in for. Two versions do not fit
into one process, so everything that imports them runs in a process of its own.
"""

from __future__ import annotations

import ast
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
VERSIONS = {
    "10.3.0": "tensorrt-cu12-bindings",
    "10.16.1.11": "tensorrt-cu12-bindings",
    "11.4.0.106": "tensorrt-cu13-bindings",
}
"""JetPack 6, JetPack 7.2, and the newest, which knows strong typing alone."""

CUDA = {"12.8.0": "cuda-bindings"}
"""The oldest that the extra `jetson6` allows; the newest is the installed one."""

_LIBRARIES = ("nvinfer", "nvinfer_plugin", "nvonnxparser")
_FUNCTIONS = (
    "createInferBuilder_INTERNAL",
    "createInferRefitter_INTERNAL",
    "createInferRuntime_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL",
    "createNvOnnxParser_INTERNAL",
    "getBuilderPluginRegistry",
    "getNvOnnxParserVersion",
    "getPluginRegistry",
    "initLibNvInferPlugins",
)
_STUB_DEF = re.compile(r"^(\s*def (\w+))\(.*$")


class NotAtHand(Exception):
    """Something that conformance needs cannot be had here; the text names it."""


@dataclass(frozen=True)
class Bindings:
    """One version, unpacked.

    Attributes:
        version: as on the package index.
        site: folder that holds `tensorrt_bindings`.
        libraries: folder of the stand-in libraries.
        stubs: folder of type stubs for `tensorrt`, made from the bindings.
        vague: methods whose signature the stubs could not hold.
    """

    version: str
    site: Path
    libraries: Path
    stubs: Path
    vague: frozenset[str]

    def run(
        self, module: str, *arguments: str, cuda: Path | None = None, source: Path = ROOT
    ) -> subprocess.CompletedProcess[str]:
        """Runs a module of these tests in a process of this version.

        Args:
            module: its name below `tests.conformance`.
            arguments: its arguments.
            cuda: folder of another `cuda.bindings` than the installed one.
            source: folder whose `fetalclip_edge` is used.
        """
        return subprocess.run(
            [sys.executable, "-m", f"tests.conformance.{module}", *arguments],
            env=self.environment(cuda=cuda, source=source),
            cwd=source,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def environment(self, *, cuda: Path | None = None, source: Path = ROOT) -> dict[str, str]:
        """Returns the environment of such a process."""
        paths = [str(source), str(ROOT), *([str(cuda)] if cuda else []), str(self.site)]
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "LD_LIBRARY_PATH": str(self.libraries),
        }


def bindings(version: str, cache: Path) -> Bindings:
    """Returns one version from the cache, fetched and made the first time.

    Raises:
        NotAtHand: the wheel, the compiler or the maker of stubs is missing.
    """
    folder = cache / f"{version}-cp{sys.version_info.major}{sys.version_info.minor}"
    site, stubs, done = folder / "site", folder / "stubs", folder / "done.json"
    libraries = folder / "libraries"
    if not done.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        _unpack(VERSIONS[version], version, site)
        _stand_ins(version.split(".", maxsplit=1)[0], libraries)
        made = Bindings(version, site, libraries, stubs, frozenset())
        done.write_text(json.dumps(_make_stubs(made)))
    return Bindings(version, site, libraries, stubs, frozenset(json.loads(done.read_text())))


def cuda_bindings(version: str, cache: Path) -> Path:
    """Returns the folder of one version of `cuda.bindings`, or raises `NotAtHand`."""
    folder = cache / f"cuda-{version}-cp{sys.version_info.major}{sys.version_info.minor}"
    if not (folder / "done").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        _unpack(CUDA[version], version, folder)
        (folder / "done").touch()
    return folder


def _unpack(package: str, version: str, target: Path) -> None:
    target.mkdir(parents=True)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--only-binary=:all:", "--retries", "1", "--timeout", "15"),
            *("--dest", str(target), f"{package}=={version}"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    wheels = list(target.glob("*.whl"))
    if done.returncode or not wheels:
        raise NotAtHand(
            f"the wheel {package}=={version} for {platform.python_version()} on "
            f"{platform.machine()}: {done.stderr.strip().splitlines()[-1:]}"
        )
    with zipfile.ZipFile(wheels[0]) as wheel:
        wheel.extractall(target)


def _stand_ins(major: str, folder: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise NotAtHand("a C compiler (gcc) for the stand-in libraries")
    folder.mkdir(parents=True)
    source = folder / "stand_in.c"
    source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in _FUNCTIONS))
    for library in _LIBRARIES:
        name = f"lib{library}.so.{major}"
        subprocess.run(
            [
                *(compiler, "-shared", "-fPIC", f"-Wl,-soname,{name}"),
                *("-o", str(folder / name), str(source)),
            ],
            check=True,
        )


def _make_stubs(made: Bindings) -> list[str]:
    """Makes type stubs and returns the methods whose signature they could not hold."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pybind11_stubgen", "tensorrt_bindings"),
            *("--output-dir", str(made.stubs), "--ignore-all-errors"),
        ],
        env=made.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    found = made.stubs / "tensorrt_bindings" / "tensorrt.pyi"
    if done.returncode or not found.is_file():
        raise NotAtHand(f"pybind11-stubgen: {done.stderr.strip().splitlines()[-1:]}")
    text, vague = _parsable(found.read_text())
    found.write_text(text)
    alias = made.stubs / "tensorrt"
    alias.mkdir()
    (alias / "__init__.pyi").write_text("from tensorrt_bindings import *\n__version__: str\n")
    return vague


def _parsable(text: str) -> tuple[str, list[str]]:
    """Loosens what is no Python: an argument named `in`, a default before a bare argument."""
    lines, vague = text.splitlines(), []
    while True:
        try:
            ast.parse("\n".join(lines))
        except SyntaxError as error:
            index = (error.lineno or 1) - 1
            match = _STUB_DEF.match(lines[index])
            if match is None:
                raise NotAtHand(f"stubs that parse: {lines[index].strip()}") from None
            vague.append(match.group(2))
            lines[index] = (
                f"{match.group(1)}(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any:"
            )
        else:
            return "\n".join(lines) + "\n", vague
