#!/usr/bin/env python3
"""Times the gate on a small commit in a repository of many files, beside peers, in turns in one run.

    benches/gate.py SLUICE [NAME=COMMAND...]      FILES=50000 RUNS=21

Makes a repository of FILES files in a temporary folder and stages three files, one of them with a number that the
gate has to find; `{files}` in a COMMAND stands for the staged files. Each command runs RUNS times, in turns with the
others, and its median, least and most are printed. Ends with an error if the gate says something else than block, or
takes 30 ms or more in the median.
"""

import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

WORDS = "the order number of this account was changed on request after a call about the delivery address".split()


def git(folder, *arguments):
    subprocess.run(["git", "-C", folder, "-c", "user.name=A", "-c", "user.email=a@example.com", *arguments], check=True)


def repository(folder, files):
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "gc.auto", "0")
    for number in range(files):
        place = f"{folder}/src/{number // 2500:02}/{number // 50 % 50:02}"
        os.makedirs(place, exist_ok=True)
        with open(f"{place}/{number}.txt", "w") as file:
            file.write("".join(f"{number} {word}\n" for word in WORDS))
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "files")
    git(folder, "gc", "-q")
    staged = []
    for name, text in [("new.py", "name = 'value'\n" * 40), ("src/00/00/0.txt", "changed\n"), ("data.csv", "name,ssn\nA,574-22-8190\n")]:
        with open(f"{folder}/{name}", "w") as file:
            file.write(text)
        staged.append(name)
    git(folder, "add", "-A")
    return staged


def main():
    sluice, peers = sys.argv[1], [peer.split("=", 1) for peer in sys.argv[2:]]
    files, runs = int(os.environ.get("FILES", 50_000)), int(os.environ.get("RUNS", 21))
    with tempfile.TemporaryDirectory() as folder:
        staged = repository(folder, files)
        commands = {"sluice gate": [os.path.abspath(sluice), "gate"]}
        for name, command in peers:
            commands[name] = shlex.split(command.replace("{files}", shlex.join(staged)))
        environment = {"PATH": os.environ["PATH"], "HOME": folder + "/.git", "XDG_CONFIG_HOME": folder + "/.git"}
        took = {name: [] for name in commands}
        codes = {}
        for turn in range(runs + 1):
            for name, command in commands.items():
                began = time.perf_counter()
                run = subprocess.run(command, cwd=folder, env=environment, capture_output=True)
                if turn > 0:  # The first one warms caches.
                    took[name].append((time.perf_counter() - began) * 1000)
                codes[name] = run.returncode
                if name == "sluice gate" and (run.returncode != 1 or b"nat.us_ssn" not in run.stdout):
                    sys.exit(f"the gate does not find the number: code {run.returncode}\n{run.stderr.decode()}")
        own = statistics.median(took["sluice gate"])
        print(f"{files} files, 3 staged, {runs} runs in turns; milliseconds from start to exit")
        for name, times in took.items():
            median = statistics.median(times)
            print(f"{name:16} median {median:8.1f}  least {min(times):8.1f}  most {max(times):8.1f}  "
                  f"{median / own:6.1f}x  exit {codes[name]}")
        sys.exit(0 if own < 30 else "the gate took 30 ms or more")


main()
