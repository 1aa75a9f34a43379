#!/usr/bin/env bash
# Each loss of the teacher by itself, at the same time as the labels of a tenth of the frames:
#   examples/distill_small/ablation.sh DATA OUT   # after few_labels.sh DATA OUT
set -euo pipefail
data=$1 out=$2
here=$(dirname "$0")
run() {
  local name=$1; shift
  cat "$here/student.toml" "$here/losses/labels.toml" "$@" > "$out/$name.toml"
  fetalclip-edge distill --data "$data" --recipe "$out/$name.toml" --run "$out/$name" --store "$out/store"
}
for loss in feature relational interactive; do
  run "$loss" "$here/losses/$loss.toml"
done
run together "$here"/losses/{feature,relational,interactive}.toml
for split in validation test; do
  python "$here/compare.py" "$data" --split "$split" "labels alone=$out/labels-0" \
    "feature=$out/feature" "relational=$out/relational" "interactive=$out/interactive" \
    "all three=$out/together" "all three, before the labels=$out/after-0"
done
