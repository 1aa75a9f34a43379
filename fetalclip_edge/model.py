"""A bundle with a runner over it: loaded once, shared by every stream of a process."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from fetalclip_edge.bundle.load import Bundle, default_bundle_path, load_bundle
from fetalclip_edge.bundle.manifest import Backend, Precision
from fetalclip_edge.runners.base import Runner
from fetalclip_edge.session import Session


class Model:
    """A checked bundle, ready to run. Use it with `with`.

    Example:
        >>> with Model() as model:
        ...     result = model.session().process(frame)

    Args:
        folder: the bundle's folder; None is the bundle that the package ships.
        expect_digest: sha256 of the manifest; any other bundle is refused.
        precision: arithmetic of the model file.
        threads: threads for one inference; 0 lets the backend choose.

    Raises:
        BundleError: the bundle must not be used.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        expect_digest: str | None = None,
        precision: Precision = Precision.FP32,
        threads: int = 0,
    ) -> None:
        self.bundle: Bundle = load_bundle(
            default_bundle_path() if folder is None else folder, expect_digest=expect_digest
        )
        self._runner = self._make_runner(precision, threads)

    def _make_runner(self, precision: Precision, threads: int) -> Runner:
        from fetalclip_edge.runners.onnxruntime import OnnxRuntimeRunner

        path = self.bundle.model_path(Backend.ONNXRUNTIME, precision)
        return OnnxRuntimeRunner(path, precision=precision.value, threads=threads)

    def __enter__(self) -> Model:
        self._runner.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._runner.__exit__(kind, error, trace)

    def session(self, *, gate: bool = True) -> Session:
        """Returns a new stream over this model, with buffers and smoothing of its own."""
        return Session(self.bundle, self._runner, gate=gate)
