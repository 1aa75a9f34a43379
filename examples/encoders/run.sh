#!/usr/bin/env bash
# Five encoders by one recipe, each in fp32 and in INT8 on frames that no training step saw:
#   examples/encoders/run.sh DATA OUT     # DATA holds hc18/ and planes/
set -euo pipefail
data=$1 out=$2
here=$(dirname "$0")
presets="resnet18_half_strided resnet18_half repvgg_a0_half mobileone_s0 mobilenetv4_conv_small"
mkdir -p "$out"
fetalclip-edge frames --data "$data" --output "$out/frames.csv"
for preset in $presets; do
  fetalclip-edge distill --data "$data" --recipe "$here/recipe.toml" --preset "$preset" \
    --run "$out/$preset"
  fetalclip-edge export --run "$out/$preset" --data "$data" --bundle "$out/$preset-fp32" --no-half
  # a file that fails its gate enters no bundle: exit 5, and the table says so
  fetalclip-edge calibrate --model "$out/$preset-fp32" --frames "$out/frames.csv" \
    --data "$out/frames.csv" --target int8-ort --output "$out/$preset-int8" \
    --report "$out/$preset-int8-report" || [ $? -eq 5 ]
done
for preset in $presets; do   # last and in one go, so that nothing else runs beside it
  best=$out/$preset-int8
  [ -d "$best" ] || best=$out/$preset-fp32
  fetalclip-edge bench --model "$best" --output-json "$out/$preset-bench.json"
done
python "$here/table.py" "$out" $presets
