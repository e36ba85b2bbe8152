"""Runs the programs one after the other on a store of their own; `run` beside this folder says how to call it."""

import argparse
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from processes import Botellier, Ended, Peer, end_group, free_port
from programs import PROGRAMS
from service import Service

HERE = pathlib.Path(__file__).resolve().parent.parent
PROGRAM_SECONDS = 180


class Run:
    """One store in one mode, and what has been seen of the programs on it."""

    def __init__(self, options, directory, cluster):
        arguments = ("--cluster-enabled", "yes") if cluster else ()
        self.options = options
        kind = Peer if options.peer else Botellier
        self.store = kind(options.peer or options.server, directory / ("cluster" if cluster else "store"), *arguments)
        self.service = None

    def __enter__(self):
        try:
            self.store.start()
        except BaseException:
            self.store.stop()
            raise
        if not self.options.peer:
            self.service = Service(free_port(), self.store.nodes)
            self.service.start()
        return self

    def __exit__(self, *_):
        if self.service:
            self.service.stop()
        self.store.stop()

    def environment(self, program):
        port = self.service.port if self.service else self.store.leader().port
        failover = {"FAILOVER": "yes"} if program.failover and self.service else {}
        return {
            **os.environ, **self.store.environment(), **failover,
            "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip

    def folder(self, program):
        # What is imported must lie beside what imports it, and the checkout stays as it is.
        return (self.options.cache if program.language == "node" else HERE) / program.language

    def program(self, program, logs):
        """Run one program; (checks passed, what failed, milliseconds without a write or None)."""
        self.store.flush()
        log = (logs / f"{program.name}.log").open("wb")
        cache, classpath = self.options.cache, self.options.cache / "java/classpath"
        command = [word.format(cache=cache, classpath=f"{cache}/java/classes:{read(classpath)}") for word in program.command]
        child = subprocess.Popen(
            command, cwd=self.folder(program), env=self.environment(program),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
        )  # fmt: skip
        passed, failures, gap, killed = 0, [], None, None
        try:
            for line in lines(child, PROGRAM_SECONDS):
                log.write(f"{line}\n".encode())
                log.flush()
                if line == "failover":
                    killed = self.store.leader()
                    killed.kill()
                elif line.startswith("gap "):
                    gap = int(line[4:])
                elif line.startswith("ok "):
                    passed += 1
                elif line.startswith("not ok "):
                    failures.append(line[7:])
            code = child.wait(10)
            if code != 0 and not failures:
                failures.append(f"exit code {code}")
        except (TimeoutError, subprocess.TimeoutExpired):
            failures.append(f"not finished after {PROGRAM_SECONDS} s")
        finally:
            end_group(child)
            log.close()
        if program.failover and self.service and gap is None and not failures:
            failures.append("no failover was seen")
        if killed:
            self.store.restart()
        return passed, failures, gap


def read(path):
    return path.read_text().strip() if path.exists() else ""


def lines(child, seconds):
    """The lines of a program as they come, for so long."""
    until, found = time.monotonic() + seconds, queue.Queue()

    def follow():
        for line in child.stdout:
            found.put(line.rstrip("\n"))
        found.put(None)

    threading.Thread(target=follow, daemon=True).start()
    while True:
        try:
            line = found.get(timeout=max(0, until - time.monotonic()))
        except queue.Empty:
            raise TimeoutError from None
        if line is None:
            return
        yield line


def chosen(options):
    """The programs that were asked for."""
    unknown = set(options.only) - {program.name for program in PROGRAMS}
    if unknown:
        sys.exit(f"no program {', '.join(sorted(unknown))}: {', '.join(program.name for program in PROGRAMS)}")
    if options.only:
        return [program for program in PROGRAMS if program.name in options.only]
    return [program for program in PROGRAMS if program.short or not options.short]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--peer", type=shutil.which)
    parser.add_argument("--server", type=pathlib.Path)
    parser.add_argument("--cache", type=pathlib.Path)
    parser.add_argument("--logs", type=pathlib.Path)
    parser.add_argument("--languages", action="store_true", help="only print the languages of the chosen programs")
    options = parser.parse_args()
    programs = chosen(options)
    if options.languages:
        print(*sorted({program.language for program in programs}))
        return 0
    # Told to end, it ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    directory = pathlib.Path(tempfile.mkdtemp(prefix="botellier-clients-"))
    shutil.rmtree(options.logs, ignore_errors=True)
    options.logs.mkdir(parents=True)
    failed = 0
    try:
        for cluster in (False, True):
            group = [program for program in programs if program.cluster == cluster]
            failed += run_group(options, directory, cluster, group) if group else 0
    finally:
        for log in directory.glob("*/*.log"):
            shutil.copy(log, options.logs / f"{log.parent.name}-{log.name}")
        shutil.rmtree(directory)
    print(f"{len(programs) - failed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


def run_group(options, directory, cluster, programs):
    """How many of the programs failed."""
    try:
        run = Run(options, directory, cluster)
        with run:
            return sum(report(program, *run.program(program, options.logs)) for program in programs)
    except (Ended, TimeoutError) as why:
        print(f"the store {'with cluster-enabled ' if cluster else ''}did not get going: {why}", flush=True)
        return len(programs)


def report(program, passed, failures, gap):
    without = f", {gap} ms without a write at the failover" if gap is not None else ""
    if failures:
        print(f"{program.name} FAILED: {passed} checks passed, {len(failures)} failed{without}", flush=True)
        for failure in failures:
            print(f"    {failure[:300]}", flush=True)
    else:
        print(f"{program.name} passed: {passed} checks{without}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
