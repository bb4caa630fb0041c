#!/usr/bin/env bash
# Runs fuzz targets one after the other, from their seeds and what earlier runs found.
#
#   fuzz/run.sh                   each target for 60 seconds
#   fuzz/run.sh 300 scanner       one target for 300 seconds
#
# Needs a nightly toolchain and `cargo install cargo-fuzz --locked`. An input that breaks a target is
# left under fuzz/artifacts/; make it small with `cargo +nightly fuzz tmin TARGET FILE` and keep it
# under fuzz/regressions/TARGET/, where `cargo test` replays it.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(destination flow gate_import gate_lists journal names proof request rule_pack scanner sniff tracker utf16)

# Requests have to reach the limits; each byte of the others costs much, so that short inputs find more.
declare -A longest=([request]=6144 [destination]=256 [names]=256 [tracker]=700 [rule_pack]=2048 [gate_import]=2048 [gate_lists]=20480 [scanner]=2048)

for target in "${targets[@]}"; do
    echo "== $target, $seconds s"
    mkdir -p "fuzz/corpus/$target"
    cargo +nightly fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
        -max_total_time="$seconds" -dict="fuzz/dictionaries/$target.dict" -timeout=30 \
        -max_len="${longest[$target]:-4096}" -verbosity=0 -print_final_stats=1
done
