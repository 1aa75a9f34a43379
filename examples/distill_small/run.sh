#!/usr/bin/env bash
# From frames to a bundle that has been measured, with a small stand-in in FetalCLIP's place:
#   examples/distill_small/run.sh DATA OUT        # DATA holds hc18/ and planes/
# A run that was stopped goes on where it was when it is called again.
set -euo pipefail
data=$1 out=$2
teacher=$out/pretrain/teacher
mkdir -p "$out"

step() { printf '\n%5d s  $ %s\n' "$SECONDS" "$*"; "$@"; }

[ -f "$out/shards/shards.json" ] || step fetalclip-edge shards --data "$data" --output "$out/shards"
step fetalclip-edge pretrain --shards "$out/shards" --run "$out/pretrain"
step fetalclip-edge embed --data "$data" --teacher "$teacher" --store "$out/store"
step fetalclip-edge distill --data "$data" --store "$out/store" --run "$out/student" \
  --recipe "$(dirname "$0")/recipe.toml"
step fetalclip-edge export --run "$out/student" --data "$data" --bundle "$out/bundle"
step fetalclip-edge prompts --model "$out/bundle" --teacher "$teacher"
step fetalclip-edge evaluate --model "$out/bundle" --data "$data" --store "$out/store" \
  --output-dir "$out/report"
step fetalclip-edge predict "$data/hc18/training_set" --model "$out/bundle" \
  --spacing-csv "$data/hc18/training_set_pixel_size_and_HC.csv" \
  --output-jsonl "$out/predictions.jsonl"
printf '\n%5d s  done: %s/bundle, %s/report/evaluation.html\n' "$SECONDS" "$out" "$out"
