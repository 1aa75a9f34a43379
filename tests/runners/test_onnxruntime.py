"""The ONNX Runtime runner on a real, tiny model: right, shared, steady, and never elsewhere."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.bundle.manifest import Backend, Precision
from fetalclip_edge.errors import BundleError, ProviderError
from fetalclip_edge.selftest import check_self_test, run_self_test
from fetalclip_edge.session import Session
from tests.bundle.builder import EMBEDDING, PLANE_LOGITS, tiny_bundle, tiny_onnx, with_reference

ort = pytest.importorskip("onnxruntime", reason="the cpu extra (onnxruntime) runs the tiny model")

from fetalclip_edge.runners.onnxruntime import OnnxRuntimeRunner  # noqa: E402


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny", tiny_onnx())


def runner(bundle: Bundle, **options: Any) -> OnnxRuntimeRunner:
    path = bundle.model_path(Backend.ONNXRUNTIME, Precision.FP32)
    return OnnxRuntimeRunner(path, precision="fp32", threads=1, **options)


def tensor(value: int) -> Any:
    return np.full((1, 1, 64, 64), value, np.uint8)


def test_right_numbers_into_the_same_buffers(bundle: Bundle) -> None:
    with runner(bundle) as entered:
        context = entered.new_context()
        first = context.infer(tensor(144))
        assert first["embedding"] == pytest.approx(EMBEDDING[None])
        assert first["plane"] == pytest.approx(PLANE_LOGITS)
        assert first["mask"] == pytest.approx(np.ones((1, 1, 64, 64)))
        second = context.infer(tensor(96))
        assert second["mask"] is first["mask"]
        assert second["mask"] == pytest.approx(np.full((1, 1, 64, 64), -2))


def test_info(bundle: Bundle) -> None:
    with runner(bundle) as entered:
        info = entered.info()
    assert (info.backend, info.provider) == ("onnxruntime", "CPUExecutionProvider")
    assert (info.precision, info.version) == ("fp32", ort.__version__)


def test_contexts_in_threads_share_one_model(bundle: Bundle) -> None:
    with runner(bundle) as entered:

        def stream(value: int) -> bool:
            context = entered.new_context()
            wanted = np.float32((value - 128) / 16)
            return all((context.infer(tensor(value))["mask"] == wanted).all() for _ in range(50))

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(stream, range(8)))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((1, 1, 64, 64), np.float32),
        np.zeros((1, 1, 32, 32), np.uint8),
        np.zeros((64, 64), np.uint8),
    ],
)
def test_wrong_tensor(bundle: Bundle, wrong: Any) -> None:
    with runner(bundle) as entered, pytest.raises(ValueError, match=r"shape \(1, 1, 64, 64\), got"):
        entered.new_context().infer(wrong)


def test_must_be_entered(bundle: Bundle) -> None:
    closed = runner(bundle)
    with closed:
        pass
    for use in (closed.info, closed.new_context):
        with pytest.raises(RuntimeError, match="must be entered"):
            use()


def test_untouched_until_entered(tmp_path: Path) -> None:
    missing = OnnxRuntimeRunner(tmp_path / "none.onnx", precision="fp32")
    with pytest.raises(BundleError, match=r"got No such file or directory\."), missing:
        pass


def test_unknown_provider_names_what_there_is(bundle: Bundle) -> None:
    with (
        pytest.raises(ProviderError, match=r"expected Moon.*got an onnxruntime with .*CPUExec"),
        runner(bundle, provider="MoonExecutionProvider"),
    ):
        pass


@pytest.mark.skipif(
    "AzureExecutionProvider" not in ort.get_available_providers(),
    reason="needs a provider that is listed and can run nothing of the model",
)
def test_never_falls_back_to_the_cpu(bundle: Bundle) -> None:
    """The Azure provider takes no local operator, so ONNX Runtime would put all on the CPU."""
    with (
        pytest.raises(ProviderError, match=r"AzureExecutionProvider|execution provider"),
        runner(bundle, provider="AzureExecutionProvider"),
    ):
        pass


@pytest.mark.parametrize("data", [b"", b"no model", None])
def test_bad_file(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(tiny_onnx()[:-40] if data is None else data)
    with (
        pytest.raises(BundleError, match="expected a model that ONNX Runtime can load"),
        OnnxRuntimeRunner(path, precision="fp32"),
    ):
        pass


def test_newer_model_says_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "newer.onnx"
    path.write_bytes(tiny_onnx(ir_version=99))
    with (
        pytest.raises(BundleError, match="upgrade onnxruntime"),
        OnnxRuntimeRunner(path, precision="fp32"),
    ):
        pass


def test_float_input_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "float.onnx"
    path.write_bytes(tiny_onnx(dtype="FLOAT"))
    with (
        pytest.raises(BundleError, match=r"expected one uint8 \(1, 1, S, S\), got"),
        OnnxRuntimeRunner(path, precision="fp32"),
    ):
        pass


def test_self_test_with_the_real_runtime(bundle: Bundle) -> None:
    with runner(bundle) as entered:
        referenced = with_reference(bundle, Session(bundle, entered))
        outcomes = run_self_test(referenced, Session(referenced, entered))
    check_self_test(outcomes)
    assert outcomes[0].hc_mm_abs == pytest.approx(0.0, abs=1e-6)


def test_missing_package_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['onnxruntime'] = None\n"
        "from fetalclip_edge.errors import MissingPackageError\n"
        "try: import fetalclip_edge.runners.onnxruntime\n"
        "except MissingPackageError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert "pip install 'fetalclip-edge[cpu]'" in done.stdout
