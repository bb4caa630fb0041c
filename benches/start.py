#!/usr/bin/env python3
"""Times a start with all rules, from start to exit, beside one that scans nothing, in turns in one run.

    benches/start.py SLUICE [NAME=COMMAND...]      RUNS=101

`sluice --version` neither reads a rule nor scans: what `sluice classify` of a payload takes beyond it is what the
rules cost until the first byte is scanned. The payload of the last row holds a number, so that the tables and
automata of rules are made which wait for their first anchor; `{payload}` in a COMMAND stands for its file. Of each
command the median, the least and the processor time are printed. Ends with an error if a payload of no bytes takes
more than 5 ms from start to exit in the median, or if the number is not found.
"""

import os
import shlex
import statistics
import sys
import tempfile
import time


def run(command):
    """Milliseconds from start to exit, of the processor, and page faults."""
    nothing = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
    began = time.perf_counter()
    process = os.posix_spawnp(command[0], command, os.environ, file_actions=[nothing])
    _, status, used = os.wait4(process, 0)
    took = (time.perf_counter() - began) * 1000
    if status != 0:
        sys.exit(f"{shlex.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return took, (used.ru_utime + used.ru_stime) * 1000, used.ru_minflt


def main():
    sluice, peers = os.path.abspath(sys.argv[1]), [peer.split("=", 1) for peer in sys.argv[2:]]
    runs = int(os.environ.get("RUNS", 101))
    with tempfile.TemporaryDirectory() as folder:
        empty, small = f"{folder}/empty", f"{folder}/payload.csv"
        open(empty, "w").close()
        with open(small, "w") as file:
            file.write("name,ssn\nA,574-22-8190\n")
        if "nat.us_ssn" not in os.popen(shlex.join([sluice, "classify", small])).read():
            sys.exit("the number is not found")
        commands = {
            "true": ["true"],
            "sluice --version": [sluice, "--version"],
            "classify no byte": [sluice, "classify", empty],
            "classify a row": [sluice, "classify", small],
        }
        for name, command in peers:
            commands[name] = shlex.split(command.replace("{payload}", shlex.quote(small)))
        took = {name: [] for name in commands}
        for turn in range(runs + 1):
            for name, command in commands.items():
                times = run(command)
                if turn > 0:  # The first one warms caches.
                    took[name].append(times)
        print(f"{runs} runs in turns; milliseconds from start to exit")
        medians = {}
        for name, times in took.items():
            walls, cpus, faults = zip(*times)
            medians[name] = statistics.median(walls)
            print(f"{name:20} median {medians[name]:7.2f}  least {min(walls):7.2f}  "
                  f"processor {statistics.median(cpus):7.2f}  page faults {statistics.median(faults):6.0f}")
        rules = medians["classify no byte"] - medians["sluice --version"]
        print(f"rules, plan and scan of no byte: {rules:.2f} ms")
        sys.exit(0 if medians["classify no byte"] <= 5 else "a start took more than 5 ms")


main()
