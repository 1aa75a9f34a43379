#!/usr/bin/env bash
# Labels on a tenth of the frames, alone and after a teacher that spoke on all of them, over three
# seeds, each with a tenth of its own:
#   examples/distill_small/few_labels.sh DATA OUT   # after run.sh DATA OUT
set -euo pipefail
data=$1 out=$2
here=$(dirname "$0")
cat "$here/student.toml" "$here/losses/labels.toml" > "$out/labels.toml"
cat "$here/student.toml" "$here"/losses/{feature,relational,interactive}.toml > "$out/taught.toml"
fetalclip-edge distill --data "$data" --recipe "$out/taught.toml" --run "$out/taught" --store "$out/store"
for seed in 0 1 2; do
  fetalclip-edge distill --data "$data" --recipe "$out/labels.toml" --seed "$seed" --run "$out/labels-$seed"
  fetalclip-edge distill --data "$data" --recipe "$out/labels.toml" --seed "$seed" --run "$out/after-$seed" \
    --start-from "$out/taught"
done
python "$here/compare.py" "$data" \
  "labels alone=$out/labels-0,$out/labels-1,$out/labels-2" \
  "the teacher first=$out/after-0,$out/after-1,$out/after-2"
