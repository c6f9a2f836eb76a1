"""pgteal verify against md5(string_agg(t::text ORDER BY key)) on both sides, table by table,
and against the sum of row hashes that `pgcopydb compare data` has both servers make.

Both run side by side on blue and green with one session on each, in interleaved rounds, while
`pgteal run` streams.
"""
import argparse
import json
import statistics
import subprocess
import sys
import threading
import time

import servers

TABLES = {
    "million": """
CREATE TABLE million (id bigint PRIMARY KEY, a int, b text, c numeric(12, 2), d timestamptz, e uuid);
INSERT INTO million SELECT g, g % 1000, md5(g::text), g / 7.0,
  '2024-01-01'::timestamptz + g * interval '1 second', md5(g::text)::uuid
  FROM generate_series(1, {rows}) AS g""",
    "wide": """
CREATE TABLE wide (id int PRIMARY KEY, title text, body text, doc jsonb);
INSERT INTO wide SELECT g, md5(g::text),
  (SELECT string_agg(md5((g * 31 + i)::text), ' ') FROM generate_series(1, 60) AS i),
  jsonb_build_object('n', g, 'k', repeat(md5((g % 1000)::text), 20))
  FROM generate_series(1, {rows} / 10) AS g""",
}
DIGEST = "SELECT md5(string_agg(t::text, '' ORDER BY id)) FROM {table} AS t"
# What `pgcopydb compare data` (dimitri/pgcopydb, schema_send_table_checksum) asks of both servers at
# the same time: the rows counted, the hash of each row's text added up. Its statement rather than the
# tool, because Debian's 0.10 does not have that command yet; the tool also reads the catalogs first.
SUM = """SELECT count(1), encode(sha256(format('%s-%s',
    sum(hashtext(({columns})::text)::bigint), count(1))::bytea), 'hex') FROM ONLY {table}"""
COLUMNS = "SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute" \
    " WHERE attrelid = '{table}'::regclass AND attnum > 0"


def both(pair, work):
    """Runs it on blue and green at the same time; their answers."""
    answers = {}
    threads = [threading.Thread(target=lambda s=side: answers.update({s.name: work(s)}))
               for side in (pair.blue, pair.green)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers["blue"], answers["green"]


def run_digest(pair, table):
    blue, green = both(pair, lambda side: side.sql(DIGEST.format(table=table), "app"))
    if blue != green:
        raise SystemExit(f"{table}: the digests differ")


def run_verify(pair, table, jobs):
    done = subprocess.run([servers.PGTEAL, "verify", "--json", "--jobs", str(jobs),
                           "--include-table", table, "--source", pair.blue.conninfo("app"),
                           "--target", pair.green.conninfo("app")], capture_output=True, text=True)
    report = json.loads(done.stdout) if done.returncode == 0 else {}
    if not report.get("equal") or len(report["tables"]) != 1:
        raise SystemExit(f"{table}: verify ended with {done.returncode}: {done.stderr}")
    return report


def run_sum(pair, table):
    columns = pair.blue.sql(COLUMNS.format(table=table), "app")
    blue, green = both(pair, lambda side: side.sql(SUM.format(table=table, columns=columns), "app"))
    if blue != green:
        raise SystemExit(f"{table}: the sums differ")


def set_up(pair, rows):
    pair.blue.sql("CREATE DATABASE app")
    pair.green.sql("CREATE DATABASE app")
    for sql in TABLES.values():
        pair.blue.sql(sql.format(rows=rows), "app")
        pair.green.sql(sql.split(";")[0], "app")
    run = [servers.PGTEAL, "run", "--source", pair.blue.conninfo("app"), "--target",
           pair.green.conninfo("app"), "--copy", "data"]
    subprocess.run(run + ["--until-caught-up"], check=True, stderr=subprocess.DEVNULL)
    both(pair, lambda side: side.sql("VACUUM (ANALYZE, FREEZE)", "app"))
    return subprocess.Popen(run, stderr=subprocess.DEVNULL)


def measure(work):
    began = time.monotonic()
    work()
    return time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", help="write the seconds there")
    options = parser.parse_args()
    seconds = {table: {} for table in TABLES}
    with servers.Pair(17) as pair:
        run = set_up(pair, options.rows)
        try:
            for _ in range(options.rounds):
                for table in TABLES:
                    tools = {"md5(string_agg)": lambda: run_digest(pair, table),
                             "pgcopydb's sum": lambda: run_sum(pair, table),
                             "pgteal verify": lambda: run_verify(pair, table, 1)}
                    for name, work in tools.items():
                        seconds[table].setdefault(name, []).append(measure(work))
                    print(table, {name: round(all_[-1], 2) for name, all_ in seconds[table].items()}, flush=True)
        finally:
            run.terminate()
            run.wait()
    for table, tools in seconds.items():
        base = statistics.median(tools["md5(string_agg)"])
        for name, taken in tools.items():
            median = statistics.median(taken)
            print(f"{table:8} {name:18} median {median:6.2f} s ({min(taken):.2f}-{max(taken):.2f}), "
                  f"{median / base:.2f} of md5(string_agg)")
    if options.json:
        with open(options.json, "w") as out:
            json.dump(seconds, out, indent=2)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
