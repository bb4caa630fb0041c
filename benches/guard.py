#!/usr/bin/env python3
"""Counts the instructions that a scan takes a byte, and fails where they are more than expected.

    benches/guard.py [--renew]

Four fixed payloads are scanned with the frozen rules of benches/guard/ by the portable and by the AVX2 kernel, under
callgrind. Each is scanned at two sizes and the difference counted, so that neither the start nor what is built once
counts. No clock is read: another load on the machine changes nothing. The number of findings is asserted as well.
--renew writes what was counted to benches/guard/expected.toml: after a change that is worth more instructions, or
with another version of Rust. Ends with code 77 where valgrind is missing and cannot be installed.
"""

import os, pathlib, re, shutil, subprocess, sys, tempfile, tomllib

MARGIN = 0.05
SIZES = 100_000, 300_000
PAYLOADS = "text", "html", "csv", "near-misses"
KERNELS = "portable", "avx2"
NOT_RUN = 77
ROOT = pathlib.Path(__file__).resolve().parent.parent
EXPECTED = ROOT / "benches/guard/expected.toml"


def valgrind():
    if not shutil.which("valgrind"):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        try:
            subprocess.run(["apt-get", "update"], **quiet)
            subprocess.run(["apt-get", "install", "-y", "valgrind"], **quiet)
        except OSError:
            pass
    if not shutil.which("valgrind"):
        print("not run: valgrind is missing and cannot be installed")
        sys.exit(NOT_RUN)


def build():
    build = ["cargo", "--config", "benches/guard/profile.toml", "build", "--locked", "--example", "guard"]
    # Incremental builds cut the code into other units.
    environment = os.environ | {"CARGO_INCREMENTAL": "0", "CARGO_TERM_QUIET": "true"}
    command = [*build, "--message-format", "json"]
    out = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    if out.returncode:
        sys.exit("the guard does not build: `CARGO_INCREMENTAL=0 " + " ".join(build) + "` says why")
    return re.findall(r'"executable":"([^"]+)"', out.stdout)[-1]


def count(program, kernel, file):
    """Instructions and findings of one run."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, "scan", kernel, str(file)]
    run = subprocess.run(command, capture_output=True, text=True)
    collected = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode or not collected:
        sys.exit(f"{kernel} on {file.name}: code {run.returncode}\n{run.stderr[-2000:]}")
    return int(collected[1]), int(run.stdout)


def main():
    if sys.argv[1:] not in ([], ["--renew"]):
        sys.exit(__doc__)
    valgrind()
    rust = subprocess.run(["rustc", "--version"], cwd=ROOT, capture_output=True, text=True).stdout.split()[1]
    program = build()
    expected = tomllib.loads(EXPECTED.read_text()) if EXPECTED.exists() else {"rust": "none"}
    has_avx2 = re.search(r"\bavx2\b", pathlib.Path("/proc/cpuinfo").read_text())
    counted, wrong = {}, []
    print("instructions a byte      counted  expected   change   findings")
    with tempfile.TemporaryDirectory() as folder:
        for payload in PAYLOADS:
            files = [pathlib.Path(folder) / f"{payload}-{size}" for size in SIZES]
            for size, file in zip(SIZES, files):
                subprocess.run([program, "make", payload, str(size), str(file)], check=True)
            more = files[1].stat().st_size - files[0].stat().st_size
            for kernel in KERNELS:
                if kernel == "avx2" and not has_avx2:
                    print(f"{payload:12} {kernel:9} not run: this processor has no AVX2")
                    continue
                (small, _), (large, findings) = (count(program, kernel, file) for file in files)
                a_byte = (large - small) / more
                counted[payload, kernel] = a_byte, findings
                before = expected.get(payload, {}).get(kernel)
                known = expected.get(payload, {}).get("findings")
                change = a_byte / before - 1 if before else 0.0
                print(f"{payload:12} {kernel:9} {a_byte:9.3f} {before or 0:9.3f} {change:+8.1%} {findings:10}")
                if before is None or change > MARGIN:
                    wrong.append(f"{payload}, {kernel}: {a_byte:.3f} instructions a byte, expected {before}")
                if findings != known:
                    wrong.append(f"{payload}, {kernel}: {findings} findings, expected {known}")
    if sys.argv[1:] == ["--renew"]:
        if len(counted) < len(PAYLOADS) * len(KERNELS):
            sys.exit("not renewed: not every kernel runs here")
        renew(rust, counted)
        return
    if rust != expected["rust"]:
        print(f"rust {rust}; the expected counts are of {expected['rust']}, and may differ by the compiler alone")
    if wrong:
        print("\n".join(wrong))
        sys.exit(f"more than {MARGIN:.0%} above what is expected, or other findings. Where that is wanted: "
                 "benches/guard.py --renew")


def renew(rust, counted):
    lines = ["# Instructions a byte by kernel, and findings: written by `benches/guard.py --renew`.", "", f'rust = "{rust}"']
    for payload in PAYLOADS:
        findings = {counted[payload, kernel][1] for kernel in KERNELS}
        if len(findings) != 1:
            sys.exit(f"not renewed: the kernels find {findings} in {payload}")
        lines += ["", f"[{payload}]", *(f"{kernel} = {counted[payload, kernel][0]:.3f}" for kernel in KERNELS)]
        lines.append(f"findings = {findings.pop()}")
    EXPECTED.write_text("\n".join(lines) + "\n")
    print(f"written to {EXPECTED.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
