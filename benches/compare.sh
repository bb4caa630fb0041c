#!/usr/bin/env bash
# Sluice beside Kingfisher on 20,000 small files, in alternating runs on the same machine.
#
#   benches/compare.sh            five runs each
#   SLUICE_COMPARE_RUNS=9 benches/compare.sh
#   SLUICE_COMPARE_FILES=2000 benches/compare.sh
#   KINGFISHER=/path/to/kingfisher benches/compare.sh
#
# The files are pieces of 1 to 8 KB of the Rust documentation and the Python library, the same in
# every run. Kingfisher comes from the Python package index unless KINGFISHER names one, and must not
# validate what it finds. The two look for different things: Kingfisher for secrets only, Sluice for
# secrets and regulated data; the numbers of rules and findings are printed for that reason.
# Fails where Sluice is not twice as fast by wall clock.
set -euo pipefail
cd "$(dirname "$0")/.."

runs=${SLUICE_COMPARE_RUNS:-5}
files=${SLUICE_COMPARE_FILES:-20000}
version=2.14.0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cargo build --quiet --release --bin sluice
sluice=$(realpath "${CARGO_TARGET_DIR:-target}/release/sluice")
kingfisher=${KINGFISHER:-}
if [ -z "$kingfisher" ]; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check "kingfisher-bin==$version"
    kingfisher=$work/venv/bin/kingfisher
fi

mkdir "$work/files"
python3 - "$work/files" "$files" "$(rustc --print sysroot)/share/doc/rust/html" <<'PYTHON'
import os, sys

target, count, docs = sys.argv[1], int(sys.argv[2]), sys.argv[3]
state = 88172645463325252


def below(bound):
    """Xorshift, so that the sizes are the same in every run."""
    global state
    state ^= state << 13 & 0xFFFFFFFFFFFFFFFF
    state ^= state >> 7
    state ^= state << 17 & 0xFFFFFFFFFFFFFFFF
    return state % bound


def pieces(root, extension):
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name != "site-packages")
        for name in sorted(names):
            if name.endswith(extension):
                with open(os.path.join(folder, name), "rb") as file:
                    text = file.read(64 * 1024)
                at = 0
                while at < len(text):
                    size = 1024 + below(7 * 1024)
                    yield text[at:at + size]
                    at += size


def write(first, last, source, extension):
    number = first
    for piece in source:
        if number == last:
            return number
        folder = os.path.join(target, f"{number // 200:03}")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"{number:05}{extension}"), "wb") as file:
            file.write(piece)
        number += 1
    return number


# Half of each, as far as there is enough.
number = write(0, count // 2, pieces(os.path.dirname(os.__file__), ".py"), ".py")
number = write(number, count, pieces(docs, ".html"), ".html")
if number < count:
    sys.exit(f"compare.sh: only {number} pieces of {count}: are rust-docs installed?")
PYTHON

scan_sluice() { "$sluice" scan --quiet --format jsonl -o "$work/sluice.out" "$work/files"; }
# Exit code 200 says that there are findings.
scan_kingfisher() {
    local code=0
    "$kingfisher" scan "$work/files" --no-validate --git-history none --no-update-check \
        > "$work/kingfisher.out" 2>&1 || code=$?
    [ "$code" -eq 0 ] || [ "$code" -eq 200 ] || [ "$code" -eq 205 ]
}

# Appends wall-clock and processor seconds of a run to a file.
TIMEFORMAT='%R %U %S'
measure() {
    { time "scan_$1"; } 2> "$work/time"
    tail -1 "$work/time" | awk '{ print $1, $2 + $3 }' >> "$work/$1.times"
}
median() { sort -n | awk '{ all[NR] = $1 } END { print (all[int((NR + 1) / 2)] + all[int(NR / 2) + 1]) / 2 }'; }

# A run of each to fill the page cache.
scan_sluice
scan_kingfisher || { cat "$work/kingfisher.out" >&2; exit 1; }
for _ in $(seq "$runs"); do
    measure sluice
    measure kingfisher
done

bytes=$(find "$work/files" -type f -printf '%s\n' | awk '{ sum += $1 } END { printf "%.1f", sum / 1e6 }')
echo "$files files, $bytes MB, $(nproc) cores, median of $runs alternating runs"
for tool in sluice kingfisher; do
    wall=$(cut -d' ' -f1 "$work/$tool.times" | median)
    cpu=$(cut -d' ' -f2 "$work/$tool.times" | median)
    eval "${tool}_wall=$wall ${tool}_cpu=$cpu"
    printf '%-12s wall %7.3f s   cpu %7.3f s   all walls: %s\n' "$tool" "$wall" "$cpu" \
        "$(cut -d' ' -f1 "$work/$tool.times" | tr '\n' ' ')"
done
awk -v sw="$sluice_wall" -v sc="$sluice_cpu" -v kw="$kingfisher_wall" -v kc="$kingfisher_cpu" \
    'BEGIN { printf "sluice is %.1f times as fast by wall clock, %.1f times by cpu\n", kw / sw, kc / sc }'
echo
echo "sluice:      $("$sluice" --version); $("$sluice" rules list 2> /dev/null | grep -cE '^[a-z]+\.[a-z0-9.-]+') rules"
echo "             $(grep -c '"type": *"finding"' "$work/sluice.out" || true) findings, $(grep '"band": *"' "$work/sluice.out" | grep -vc '"band": *"possible"' || true) of them likely and up"
echo "kingfisher:  $("$kingfisher" --version 2> /dev/null | head -1)"
grep -E 'Loaded|[Ff]indings|Rules|Bytes' "$work/kingfisher.out" | tail -12 | sed 's/^/             /'

awk -v sw="$sluice_wall" -v kw="$kingfisher_wall" 'BEGIN { exit !(kw >= 2 * sw) }' || {
    echo "compare.sh: less than twice as fast" >&2
    exit 1
}
