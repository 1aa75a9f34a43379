"""Typed ONNX to a serialized engine, which TensorRT calls a plan.

The network is strongly typed: the ONNX file says the arithmetic of every tensor, in FP16 by its
casts and in INT8 by its quantize nodes, so that the same file builds on TensorRT 10.3 to 11.x,
of which 11 knows no other way. TF32 is off, so that what is typed float32 is computed in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fetalclip_edge.errors import BundleError, ProviderError
from fetalclip_edge.tensorrt.logger import KeepingLogger
from fetalclip_edge.tensorrt.package import VERSION, trt
from fetalclip_edge.tensorrt.progress import BuildProgress

_SHOWN_ERRORS = 3


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What is built, and how.

    Attributes:
        onnx: the typed ONNX model.
        name: its file, for messages.
        size_px: side of the input that it must have.
        workspace_mb: bound of the builder's scratch memory, in MiB.
        version_compatible: also run on later TensorRT of the same major version.
    """

    onnx: bytes
    name: str
    size_px: int
    workspace_mb: int
    version_compatible: bool

    @property
    def flags(self) -> tuple[str, ...]:
        """Names of the flags, for the sidecar."""
        return ("STRONGLY_TYPED", *(("VERSION_COMPATIBLE",) if self.version_compatible else ()))


@dataclass(frozen=True, slots=True)
class Plan:
    """What the builder made.

    Attributes:
        engine: the serialized engine.
        timing_cache: what it measured, for the next build on this machine.
    """

    engine: bytes
    timing_cache: bytes


def build_plan(request: PlanRequest, timing_cache: bytes, progress: BuildProgress) -> Plan:
    """Builds; takes minutes.

    Args:
        request: what is built.
        timing_cache: of an earlier build, or empty.
        progress: told of every phase.

    Raises:
        BundleError: TensorRT does not take this model.
        ProviderError: the build failed.
        KeyboardInterrupt: it was interrupted.
    """
    logger = KeepingLogger()
    try:
        builder: trt.Builder = trt.Builder(logger)
        flags = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        network: trt.INetworkDefinition = builder.create_network(flags)
        parser: trt.OnnxParser = trt.OnnxParser(network, logger)
    except TypeError:
        # the bindings' word for a library that returned nothing
        raise _failed("cannot start its builder", logger) from None
    if not parser.parse(request.onnx):
        raise _refused(request, _parser_errors(parser) or logger.reason())
    _check_ends(request, network)

    config: trt.IBuilderConfig = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, request.workspace_mb << 20)
    config.clear_flag(trt.BuilderFlag.TF32)
    if request.version_compatible:
        config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
    config.progress_monitor = progress
    _set_timing_cache(config, timing_cache)

    plan: trt.IHostMemory | None = builder.build_serialized_network(network, config)
    if progress.interrupted:
        raise KeyboardInterrupt
    if plan is None:
        raise _failed(f"cannot build {request.name}", logger)
    cache: trt.ITimingCache | None = config.get_timing_cache()
    return Plan(_bytes(plan), b"" if cache is None else _bytes(cache.serialize()))


def _set_timing_cache(config: trt.IBuilderConfig, data: bytes) -> None:
    # one of another device or version is refused by TensorRT, and an empty one takes its place
    for candidate in (data, b""):
        cache: trt.ITimingCache | None = config.create_timing_cache(candidate)
        if cache is not None and config.set_timing_cache(cache, ignore_mismatch=False):
            return


def _parser_errors(parser: trt.OnnxParser) -> str:
    texts: list[str] = []
    for index in range(parser.num_errors):
        error: trt.ParserError = parser.get_error(index)
        where = f"node {error.node_name()!r} ({error.node_operator()})"
        texts.append(f"{where}: {' '.join(error.desc().split())}")
    more = len(texts) - _SHOWN_ERRORS
    return "; ".join(texts[:_SHOWN_ERRORS]) + (f"; and {more} more" if more > 0 else "")


def _check_ends(request: PlanRequest, network: trt.INetworkDefinition) -> None:
    inputs = [_described(network.get_input(index)) for index in range(network.num_inputs)]
    outputs = [_described(network.get_output(index)) for index in range(network.num_outputs)]
    square = (1, 1, request.size_px, request.size_px)
    if inputs != [(trt.DataType.UINT8, square)]:
        raise _refused(request, f"inputs {inputs}", f"one uint8 input {square}")
    for dtype, shape in outputs:
        if dtype != trt.DataType.FLOAT or shape[:1] != (1,) or min(shape) < 1:
            raise _refused(request, f"output {dtype} {shape}", "float32 outputs of fixed shape")


def _described(tensor: trt.ITensor) -> tuple[trt.DataType, tuple[int, ...]]:
    shape: Any = tensor.shape  # a sequence, which the bindings do not say
    return tensor.dtype, tuple(shape)


def _bytes(memory: Any) -> bytes:  # noqa: ANN401 (a buffer, which the bindings do not say)
    return memoryview(memory).tobytes()


def _refused(request: PlanRequest, arrived: str, expected: str | None = None) -> BundleError:
    return BundleError(
        f"{request.name}",
        expected=expected or f"a model that TensorRT {VERSION} can parse",
        arrived=arrived.rstrip("."),
        remedy="Export the bundle again, or choose another precision or --backend onnxruntime",
    )


def _failed(what: str, logger: KeepingLogger) -> ProviderError:
    return ProviderError(
        f"TensorRT {VERSION} {what}",
        expected="an engine",
        arrived=logger.reason(),
        remedy="Check the GPU's free memory and driver; a smaller --workspace-mb may help",
    )
