"""Initial load of 1.3 GB: pgteal run --copy all against pg_dump | pg_restore and pgcopydb clone.

Both sides are on this machine. The result is compared before a number counts.
"""
import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time

import servers

JOBS = "2"
TEXTS = """
CREATE TABLE texts (id bigint PRIMARY KEY, title text NOT NULL, body text, doc jsonb, tags text[],
                    made timestamptz);
INSERT INTO texts SELECT g, md5(g::text), repeat(md5((g * 7)::text), 12),
  jsonb_build_object('n', g, 'k', md5((g % 1000)::text)), ARRAY[(g % 10)::text, (g % 100)::text],
  '2024-01-01'::timestamptz + g * interval '1 second' FROM generate_series(1, {rows}) AS g;
CREATE INDEX ON texts (title); CREATE INDEX ON texts (made); CREATE INDEX ON texts USING gin (tags);
"""


def fill(blue, scale, rows):
    blue.sql("CREATE DATABASE app")
    subprocess.run([servers.DEBIAN_BIN + "/pgbench", "-i", "-q", "-s", str(scale), "-d", blue.conninfo("app")],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    blue.sql("ALTER TABLE pgbench_history REPLICA IDENTITY FULL", "app")
    blue.sql(TEXTS.format(rows=rows), "app")
    # As a database in use is: or whoever reads it first would write the hint bits for the others.
    blue.sql("VACUUM (ANALYZE)", "app")
    blue.sql("CHECKPOINT")


def digest(server):
    """Row counts and sums of row hashes, and the indexes there are."""
    names = server.sql("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1", "app")
    found = [server.sql(f"SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM {name} AS t", "app")
             for name in names.split()]
    return found + [server.sql("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1", "app")]


def run_pgteal(blue, green, folder):
    binary = servers.PGTEAL
    subprocess.run([binary, "run", "--until-caught-up", "--jobs", JOBS, "--source", blue.conninfo("app"),
                    "--target", green.conninfo("app"), "--pg-bin", servers.DEBIAN_BIN],
                   check=True, stderr=open(folder + "/pgteal.log", "w"))
    with open(folder + "/pgteal.log") as log:
        print("".join("    " + line.split(" info load: ")[1] for line in log if " info load: " in line), end="")


def run_dump(blue, green, folder):
    archive = folder + "/dump"
    subprocess.run([servers.DEBIAN_BIN + "/pg_dump", "-j", JOBS, "-Fd", "-Z0", "-f", archive, "-d", blue.conninfo("app")], check=True)
    subprocess.run([servers.DEBIAN_BIN + "/pg_restore", "-j", JOBS, "-d", green.conninfo("app"), archive], check=True)
    shutil.rmtree(archive)


def run_pgcopydb(blue, green, folder):
    subprocess.run(["pgcopydb", "clone", "--table-jobs", JOBS, "--index-jobs", JOBS, "--dir", folder + "/copydb",
                    "--source", blue.conninfo("app"), "--target", green.conninfo("app")],
                   check=True, stdout=subprocess.DEVNULL, stderr=open(folder + "/pgcopydb.log", "w"))
    shutil.rmtree(folder + "/copydb")


def tear_down(blue, green):
    blue.sql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots", "app")
    blue.sql("DROP PUBLICATION IF EXISTS pgteal", "app")
    green.sql("DROP DATABASE app WITH (FORCE)")


def timed(run, blue, green, folder):
    """Seconds of a load into a new database, and CPU seconds of the tool."""
    green.sql("CREATE DATABASE app")
    green.sql("CHECKPOINT")
    os.sync()  # or the kernel would still write what the one before has left
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    run(blue, green, folder)
    taken = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return taken, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def rotated(tools, number):
    """Nobody is always the first, or always after the same one."""
    items = list(tools.items())
    return items[number % len(items):] + items[:number % len(items)]


def report(seconds):
    ours = statistics.median(seconds["pgteal"])
    for name, taken in seconds.items():
        median = statistics.median(taken)
        print(f"{name:22} median {median:6.1f} s ({min(taken):.1f}-{max(taken):.1f}), pgteal takes {ours / median:.2f} of it")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=int, default=50, help="of pgbench")
    parser.add_argument("--rows", type=int, default=800_000, help="of the table of texts")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="this contender")
    parser.add_argument("--json", help="write the seconds there")
    options = parser.parse_args()
    tools = {"pgteal": run_pgteal, "pg_dump | pg_restore": run_dump}
    if shutil.which("pgcopydb"):
        tools["pgcopydb"] = run_pgcopydb
    tools = {name: run for name, run in tools.items() if options.only in (None, name)}
    folder = tempfile.mkdtemp(prefix="pgteal-load-")
    os.chmod(folder, 0o777)
    blue = servers.Server("blue", 15, 28401, folder)
    green = servers.Server("green", 15, 28402, folder)
    seconds = {name: [] for name in tools}
    try:
        fill(blue, options.scale, options.rows)
        expected = digest(blue)
        # A first round does not count: whoever is early in it creates green's WAL segments, and takes
        # memory that the machine has to find first.
        for number in range(-1, options.rounds):
            for name, run in rotated(tools, max(0, number)):
                taken, cpu = timed(run, blue, green, folder)
                if number >= 0:
                    seconds[name].append(taken)
                if digest(green) != expected:
                    raise SystemExit(f"{name}: green is not blue")
                tear_down(blue, green)
                note = "" if number >= 0 else " (does not count)"
                print(f"{name:22} {taken:7.1f} s, its own CPU {cpu:.1f} s{note}", flush=True)
    finally:
        blue.stop()
        green.stop()
        shutil.rmtree(folder, ignore_errors=True)
    if "pgteal" in seconds:
        report(seconds)
    print(f"largest child: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10} MB resident")
    if options.json:
        with open(options.json, "w") as out:
            json.dump(seconds, out, indent=2)


if __name__ == "__main__":
    main()
