#!/usr/bin/env bash
# One loss of the teacher at a time, beside a tenth of the labels:
#   examples/distill_small/ablation.sh DATA OUT   # after few_labels.sh DATA OUT
set -euo pipefail
data=$1 out=$2
here=$(dirname "$0")
for loss in feature relational interactive; do
  cat "$here/student.toml" "$here"/losses/{labels,$loss}.toml > "$out/$loss.toml"
  fetalclip-edge distill --data "$data" --recipe "$out/$loss.toml" --run "$out/$loss-0" --store "$out/store"
done
for split in validation test; do
  python "$here/compare.py" "$data" --split "$split" "labels alone=$out/labels-0" \
    "feature=$out/feature-0" "relational=$out/relational-0" "interactive=$out/interactive-0" \
    "feature, relational, interactive=$out/both-0"
done
