"""A bundle with a runner over it: loaded once, shared by every stream of a process."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from fetalclip_edge.bundle.load import Bundle, default_bundle_path, load_bundle
from fetalclip_edge.bundle.manifest import Backend, Precision
from fetalclip_edge.choosing import Choice, choose, obstacle_here
from fetalclip_edge.processor import core_to_spare, processors
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
        backend: what runs it; None chooses what is fastest here.
        precision: its arithmetic; None chooses the fastest that passed its gate.
        threads: threads for one inference; 0 lets the backend choose.
        ahead: leave a core to a thread that prepares the next frame, if there is one to spare.

    Attributes:
        ahead: whether a core was left: hand it on to `StreamRun.run`.
        bundle: the checked bundle.
        choice: what runs it, and why nothing faster does.

    Raises:
        BundleError: the bundle must not be used.
        EnvironmentFault: this machine lacks what was asked for.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        expect_digest: str | None = None,
        backend: Backend | None = None,
        precision: Precision | None = None,
        threads: int = 0,
        ahead: bool = False,
    ) -> None:
        self.bundle: Bundle = load_bundle(
            default_bundle_path() if folder is None else folder, expect_digest=expect_digest
        )
        self.choice: Choice = choose(
            self.bundle.manifest,
            obstacle_here(self.bundle),
            backend=backend,
            precision=precision,
        )
        cores = processors()
        self.ahead = ahead and core_to_spare(self.choice.precision, cores)
        if self.ahead and threads == 0:
            threads = cores - 1
        self._runner = make_runner(self.bundle, self.choice, threads)

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


def make_runner(bundle: Bundle, choice: Choice, threads: int = 0) -> Runner:
    """Returns the runner for a choice; nothing is loaded until it is entered.

    Raises:
        BundleError: the bundle has no such file.
        EnvironmentFault: a package or an engine is missing.
    """
    if choice.backend is Backend.TENSORRT:
        from fetalclip_edge.runners.tensorrt import TensorRtRunner
        from fetalclip_edge.tensorrt.store import find_engine
        from fetalclip_edge.tensorrt.target import read_target

        return TensorRtRunner(find_engine(bundle, choice.precision, read_target()))
    from fetalclip_edge.runners.onnxruntime import OnnxRuntimeRunner

    path = bundle.model_path(choice.backend, choice.precision)
    return OnnxRuntimeRunner(path, precision=choice.precision.value, threads=threads)
