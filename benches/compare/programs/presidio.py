"""Presidio's pattern recognizers for English, called one after the other, without a language model.

    presidio.py files|each SECONDS BUNDLE...

Takes and prints what native/src/lib.rs says. Recognizers that need a language model are left out, and so is the
one for telephone numbers, which has no pattern.
"""

import importlib.metadata
import json
import struct
import sys
import time

began = time.perf_counter()

import tldextract  # noqa: E402
from presidio_analyzer import PatternRecognizer, RecognizerRegistry  # noqa: E402

# The list of suffixes that comes with it, and no other from the network.
tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())


def read(path):
    with open(path, "rb") as file:
        bundle = file.read()
    (count,) = struct.unpack_from("<Q", bundle)
    lengths = struct.unpack_from(f"<{count}Q", bundle, 8)
    at = 8 + 8 * count
    payloads = []
    for length in lengths:
        payloads.append(bundle[at:at + length].decode("utf-8", "replace"))
        at += length
    if at != len(bundle):
        sys.exit(f"{path} is not a bundle")
    return payloads, sum(lengths)


def peak_rss():
    with open("/proc/self/status") as status:
        lines = [line.split() for line in status if line.startswith("VmHWM:")]
    return int(lines[0][1]) * 1024


def main(mode, seconds, *paths):
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    recognizers = [it for it in registry.recognizers if isinstance(it, PatternRecognizer)]

    def scan(text):
        found = 0
        for recognizer in recognizers:
            found += len(recognizer.analyze(text, recognizer.supported_entities, None))
        return found

    scan("nothing")
    version = importlib.metadata.version("presidio-analyzer")
    ready = time.perf_counter() - began
    print(json.dumps({"version": version, "rules": len(recognizers), "ready_s": ready}))
    held = 0
    for path in paths:
        payloads, size = read(path)
        held = max(held, size)
        wall, cpu = time.perf_counter(), time.thread_time()
        passes, first, times = 0, None, []
        while passes == 0 or time.perf_counter() - wall < float(seconds):
            found = 0
            for text in payloads:
                start = time.perf_counter_ns()
                found += scan(text)
                times.append(time.perf_counter_ns() - start)
            if first not in (None, found):
                sys.exit("a later pass found something else")
            first = found
            passes += 1
        wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
        line = {"bundle": path, "payloads": len(payloads), "bytes": size, "passes": passes,
                "wall_s": wall / passes, "cpu_s": cpu / passes, "findings": first}
        if mode == "each":
            times.sort()
            line |= {"p50_ns": times[len(times) // 2], "p99_ns": times[len(times) * 99 // 100]}
        print(json.dumps(line), flush=True)
    print(json.dumps({"peak_rss": peak_rss(), "held": held}))


if __name__ == "__main__":
    main(*sys.argv[1:])
