"""What is scanned: text that the toolchain brings, and files that are made, the same in every run.

A payload is a folder `files/` for programs that walk one and `all.bundle` (native/src/lib.rs) for those that are
measured in one process. Slow contestants get a part of it: every so many files, the last one cut.
"""

import hashlib
import json
import os
import random
import shutil
import struct
import subprocess
import sys

MB = 1_000_000

# Bytes of each kind: full, and for `--quick`.
SIZES = {
    False: {"html": 125 * MB, "python": 60 * MB, "logs": 60 * MB, "dense": 8 * MB, "small": 20_000,
            "adversarial": 256 << 10, "prompts": 1 << 20},
    True: {"html": 8 * MB, "python": 4 * MB, "logs": 4 * MB, "dense": 2 * MB, "small": 4_000,
           "adversarial": 64 << 10, "prompts": 128 << 10},
}
TEXT = ["html", "python", "logs"]
DENSE = ["csv", "json"]
PROMPTS = [256, 1 << 10, 4 << 10, 16 << 10]
TIMES = [1, 2, 4]


def bundle(payloads):
    """The bytes of a bundle of these payloads."""
    return struct.pack(f"<{len(payloads) + 1}Q", len(payloads), *map(len, payloads)) + b"".join(payloads)


def unbundle(data):
    """The payloads of a bundle."""
    (count,) = struct.unpack_from("<Q", data)
    lengths = struct.unpack_from(f"<{count}Q", data, 8)
    at = 8 + 8 * count
    payloads = []
    for length in lengths:
        payloads.append(data[at:at + length])
        at += length
    if at != len(data):
        raise ValueError("not a bundle")
    return payloads


def sample(items, size_of, limit):
    """Evenly spread items whose sizes add up to about the limit: all of them where they are less."""
    total = sum(map(size_of, items))
    if total <= limit:
        return list(items)
    chosen, seen, taken = [], 0, 0
    for item in items:
        size = size_of(item)
        # As much of the limit as has been seen of the whole, rounded to whole items.
        if taken * total <= seen * limit:
            chosen.append(item)
            taken += size
        seen += size
    return chosen


def part(payloads, limit):
    """A part of about this many bytes; never more: what is too long is cut behind a line."""
    chosen, left = [], limit
    for payload in sample(payloads, len, limit):
        if len(payload) > left:
            payload = payload[:max(payload.rfind(b"\n", 0, left) + 1, 0)]
        if not payload:
            break
        chosen.append(payload)
        left -= len(payload)
    return chosen


class Draw:
    """Numbers that are the same in every run and with every version of Python."""

    def __init__(self, seed):
        self.random = random.Random(seed).random

    def below(self, bound):
        return int(self.random() * bound)

    def of(self, choices):
        return choices[int(self.random() * len(choices))]


WORDS = """the a customer account support request about invoice delivery after call was changed by on and order
shipped team asked when report summary list answer quarter figures meeting notes please draft reply thank her for
patience shown keep short paragraphs quote nothing that has not said what promised until then review before Friday
contract renewal discount terms page section table number of units returned warehouse carrier delay refund approved
manager wrote again yesterday opened ticket closed without comment priority low escalated engineering build deploy
failed because timeout database migration locked rows retry queue worker memory limit raised""".split()
PATHS = ["/", "/index.html", "/api/v1/orders", "/api/v1/orders/7", "/login", "/static/app.js", "/static/app.css",
         "/favicon.ico", "/healthz", "/search?q=shoes&page=2", "/docs/install", "/api/v2/items?limit=50"]
AGENTS = ["Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
          "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0",
          "curl/8.5.0", "kube-probe/1.29", "python-requests/2.32.3"]
# Ranges that are reserved for documentation (RFC 5737), and private ones.
NETS = ["192.0.2", "198.51.100", "203.0.113", "10.0.3", "10.4.17", "172.16.9"]
UNITS = ["sshd", "systemd", "cron", "kernel", "dockerd", "postfix/smtpd", "NetworkManager", "nginx"]


def sentence(draw):
    words = [draw.of(WORDS) for _ in range(6 + draw.below(12))]
    return " ".join(words).capitalize() + ". "


def syslog(draw, second):
    unit, pid = draw.of(UNITS), 200 + draw.below(60_000)
    what = draw.of(["session opened for user deploy(uid=1001) by (uid=0)", "Started Daily apt download activities.",
                    "pam_unix(cron:session): session closed for user root", "Reached target Timers.",
                    f"connection from {draw.of(NETS)}.{draw.below(256)} port {1024 + draw.below(60_000)}",
                    f"eth0: link up, {draw.of(['1000', '10000'])} Mbps full duplex", sentence(draw).strip()])
    return f"Nov {1 + second // 86_400 % 28:2} {clock(second)} web-{draw.below(12):02} {unit}[{pid}]: {what}\n"


def clock(second):
    return f"{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}"


def access(draw, second):
    return (f"{draw.of(NETS)}.{draw.below(256)} - - [{1 + second // 86_400 % 28:02}/Nov/2026:{clock(second)} +0000] "
            f"\"{draw.of(['GET', 'GET', 'GET', 'POST'])} {draw.of(PATHS)} HTTP/1.1\" "
            f"{draw.of([200, 200, 200, 304, 404, 500])} {draw.below(90_000)} \"-\" \"{draw.of(AGENTS)}\"\n")


def application(draw, second):
    level = draw.of(["INFO", "INFO", "INFO", "DEBUG", "WARN", "ERROR"])
    return (f"2026-11-{1 + second // 86_400 % 28:02}T{clock(second)}.{draw.below(1000):03}Z {level:5} "
            f"[worker-{draw.below(16)}] com.shop.{draw.of(['orders', 'cart', 'billing'])}.Service - "
            f"{sentence(draw)}took={draw.below(900)}ms trace={draw.below(1 << 40):010x}\n")


def logs(size, file_size=1 << 20):
    """Logs of three programs, a mebibyte a file."""
    draw = Draw(41)
    files, made, second = [], 0, 0
    while made < size:
        line = [syslog, access, application][len(files) % 3]
        lines, length = [], 0
        while length < min(file_size, size - made):
            second += draw.below(3)
            lines.append(line(draw, second))
            length += len(lines[-1])
        files.append((f"{line.__name__}-{len(files):03}.log", "".join(lines).encode()))
        made += length
    return files


def prompts(length, size, tool_outputs):
    """Payloads of exactly this length: prose with an address in each begun 512 bytes, and tool outputs, in turns."""
    draw = Draw(43)
    pool = b"\n".join(tool_outputs)
    made = []
    while len(made) * length < size:
        if len(made) % 2 and len(pool) > length:
            start = draw.below(len(pool) - length)
            made.append(pool[start:start + length])
            continue
        text = ""
        while len(text) < length:
            begun = len(text)
            text += f"Write to {draw.of(WORDS).lower()}.{draw.of(WORDS).lower()}{draw.below(99)}@corp-mail.net. "
            while len(text) < begun + 512:
                text += sentence(draw)
        made.append(text[:length].encode())
    return made


def rows_as_json(table):
    """The rows of a table as one array of objects, a row a line."""
    head, *rows = table.decode().splitlines()
    names = head.split(",")
    lines = (json.dumps(dict(zip(names, row.split(","), strict=True)), separators=(",", ":")) for row in rows)
    return ("[\n" + ",\n".join(lines) + "\n]\n").encode()


def walk(root, extension):
    """Files with this extension below a folder, sorted; installed packages left out."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in ("site-packages", "__pycache__"))
        found += [os.path.join(folder, name) for name in sorted(names) if name.endswith(extension)]
    return found


def read_text(root, extension, limit):
    paths = [path for path in walk(root, extension) if os.path.getsize(path)]
    files = []
    for path in sample(paths, os.path.getsize, limit):
        with open(path, "rb") as file:
            files.append((os.path.relpath(path, root).replace("/", "__"), file.read()))
    return files


def documentation():
    """The folder of the toolchain's HTML documentation; none where it cannot be had."""
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True).stdout.strip()
    folder = os.path.join(sysroot, "share/doc/rust/html")
    if not os.path.isdir(folder):
        subprocess.run(["rustup", "component", "add", "rust-docs"], capture_output=True)
    return folder if os.path.isdir(folder) else None


def pieces(files, count):
    """Small files of 1 to 8 KB out of others."""
    draw = Draw(47)
    made = []
    for name, text in files:
        at, stem = 0, os.path.splitext(name)[1]
        while at < len(text) and len(made) < count:
            size = 1024 + draw.below(7 * 1024)
            made.append((f"{len(made) // 200:03}/{len(made):05}{stem}", text[at:at + size]))
            at += size
    return made


class Payloads:
    """The payloads below a folder; makes those that are not there."""

    def __init__(self, folder, quick, native):
        self.sizes = SIZES[quick]
        self.root = os.path.join(folder, "payloads-quick" if quick else "payloads")
        self.native = native
        self.notes = []
        with open(__file__, "rb") as source:
            stamp = hashlib.sha256(source.read() + sys.version.encode()).hexdigest()
        stamp_file = os.path.join(self.root, "stamp")
        if not os.path.exists(stamp_file) or open(stamp_file).read() != stamp:
            shutil.rmtree(self.root, ignore_errors=True)
            os.makedirs(self.root)
            self.make()
            with open(stamp_file, "w") as file:
                file.write(stamp)
        if not os.path.isdir(self.folder("html")):
            self.notes.append("html: left out, the component rust-docs is neither there nor to be had")

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def folder(self, name):
        return self.path("text", name) if name in TEXT else self.path(name)

    def names(self, names):
        """Those of these payloads that are there."""
        return [name for name in names if os.path.exists(self.path(name + ".bundle"))]

    def bundle(self, name, limit=None):
        """The path of the bundle of a payload, or of a part of it."""
        whole = self.path(name + ".bundle")
        if limit is None or os.path.getsize(whole) <= limit:
            return whole
        cut = self.path(f"{name}-{limit}.bundle")
        if not os.path.exists(cut):
            with open(whole, "rb") as file:
                data = bundle(part(unbundle(file.read()), limit))
            with open(cut, "wb") as file:
                file.write(data)
        return cut

    def tree(self, limit=None):
        """The folder of all text, or of a part of it, and its bytes."""
        folder = self.path("text")
        files = walk(folder, "")
        total = sum(map(os.path.getsize, files))
        if limit is None or total <= limit:
            return folder, total
        cut = self.path(f"text-{limit}")
        chosen = [path for path in sample(files, os.path.getsize, limit) if os.path.getsize(path) <= limit]
        if not os.path.isdir(cut):
            for path in chosen:
                target = os.path.join(cut, os.path.relpath(path, folder))
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copyfile(path, target)
        return cut, sum(map(os.path.getsize, chosen))

    def write(self, name, files, folder=None):
        for file_name, text in files:
            target = os.path.join(folder or self.folder(name), file_name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as file:
                file.write(text)
        with open(self.path(name + ".bundle"), "wb") as file:
            file.write(bundle([text for _, text in files]))

    def make(self):
        docs = documentation()
        html = read_text(docs, ".html", self.sizes["html"]) if docs else []
        python = read_text(os.path.dirname(os.__file__), ".py", self.sizes["python"])
        log = logs(self.sizes["logs"])
        for name, files in zip(TEXT, [html, python, log], strict=True):
            if files:
                self.write(name, files)
        with open(self.path("large.txt"), "wb") as file:
            file.writelines(text for _, text in html + python + log)
        # Half of each, as far as there is enough.
        count = self.sizes["small"]
        small = [("python/" + name, text) for name, text in pieces(python, count // 2)]
        small += [("html/" + name, text) for name, text in pieces(html, count - len(small))]
        self.write("small", small)

        table_file = self.path("customers.csv")
        subprocess.run([self.native, "customers", str(self.sizes["dense"]), table_file], check=True, capture_output=True)
        with open(table_file, "rb") as file:
            table = file.read()
        self.write("csv", [("customers.csv", table)])
        self.write("json", [("customers.json", rows_as_json(table))])

        tool_outputs = [text for _, text in python[:40] + log[:6]]
        for length in PROMPTS:
            with open(self.path(f"prompt-{length}.bundle"), "wb") as file:
                file.write(bundle(prompts(length, self.sizes["prompts"], tool_outputs)))
        for times in TIMES:
            os.makedirs(self.path(f"adversarial-{times}"))
            size = str(times * self.sizes["adversarial"])
            subprocess.run([self.native, "adversarial", size, self.path(f"adversarial-{times}")], check=True)
        for name, text in [("empty.txt", b""), ("one.txt", b"\n")]:
            with open(self.path(name), "wb") as file:
                file.write(text)
