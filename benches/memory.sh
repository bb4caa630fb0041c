#!/usr/bin/env bash
# Peak memory of the command: on a tree of documentation, on one endless line, and a stream.
#
#   benches/memory.sh             a tree of 300 MB and more, and open streams
#   SLUICE_BENCH_GB=5 benches/memory.sh   also one line of 5 GB through `sluice classify`
#
# Fails where a peak passes 64 MiB or something else is found than there is. Needs GNU time.
set -euo pipefail
cd "$(dirname "$0")/.."

limit_kib=$((64 * 1024))
time=/usr/bin/time
[ -x "$time" ] || { echo "memory.sh: GNU time is needed: $time" >&2; exit 2; }

cargo build --quiet --release --bin sluice
sluice=${CARGO_TARGET_DIR:-target}/release/sluice
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# Prints the peak and the time of a run whose report of GNU time is in a file.
peak() {
    local name=$1 kib wall
    kib=$(awk -F': ' '/Maximum resident set size/ { print $2 }' "$work/time")
    wall=$(awk '/Elapsed \(wall clock\)/ { print $NF }' "$work/time")
    printf '%-52s %6d KiB peak, %s wall\n' "$name" "$kib" "$wall"
    if [ "$kib" -gt "$limit_kib" ]; then
        echo "memory.sh: $name: above $limit_kib KiB" >&2
        failed=1
    fi
}

tree=$(rustc --print sysroot)/share/doc/rust/html
if [ -d "$tree" ]; then
    size=$(du -sm --apparent-size "$tree" | cut -f1)
    "$time" -v -o "$work/time" "$sluice" scan --quiet -o "$work/report" "$tree"
    peak "scan, documentation of the toolchain, $size MiB"
else
    echo "memory.sh: left out: no rust-docs at $tree"
fi

if [ -n "${SLUICE_BENCH_GB:-}" ]; then
    # Blocks of 64,000 bytes without a line end, one address in each.
    words='what was promised to whom and until when is to be said in three short sentences '
    block='write to karla.velt@brix-mail.net today '
    while [ ${#block} -lt 64000 ]; do block+=$words; done
    block=${block:0:64000}
    blocks=$((SLUICE_BENCH_GB * 1000000000 / 64000))
    # `yes` and `tr` end by SIGPIPE once `head` has enough.
    { yes "$block" | tr -d '\n' || true; } | head -c $((blocks * 64000)) |
        "$time" -v -o "$work/time" "$sluice" classify --format json --input-format text \
            > "$work/classified"
    peak "classify, one line of $SLUICE_BENCH_GB GB"
    found=$(grep -o '"pii.email": *{ *"count": *[0-9]*' <(tr -d '\n' < "$work/classified") |
        grep -o '[0-9]*$' | head -1)
    if [ "$found" != "$blocks" ]; then
        echo "memory.sh: one line: ${found:-no} addresses found of $blocks" >&2
        failed=1
    fi
fi

cargo bench --quiet --bench memory
exit "$failed"
