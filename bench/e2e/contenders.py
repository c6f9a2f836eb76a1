"""Those who take a workload from blue to a database of their own on green."""
import atexit
import os
import signal
import subprocess
import sys
import time

import cpu
from servers import PGTEAL, ROOT

SUBSCRIPTION_OPTIONS = {"default": "", "best": ", binary = true, streaming = parallel"}


def wait_for_slot(pair, slot, seconds=600):
    """Until green has confirmed what blue has now. One session: a psql every few milliseconds would
    take from the contender what it is measured by."""
    pair.blue.sql(f"""DO $do$
DECLARE upto pg_lsn := pg_current_wal_flush_lsn(); begun timestamptz := clock_timestamp();
BEGIN
  WHILE NOT EXISTS (SELECT FROM pg_replication_slots
                    WHERE slot_name = '{slot}' AND confirmed_flush_lsn >= upto) LOOP
    IF clock_timestamp() > begun + interval '{seconds} s' THEN RAISE 'slot {slot} did not catch up'; END IF;
    PERFORM pg_sleep(0.005);
  END LOOP;
END $do$""", user="probe")


class Pgteal:
    """A deployment of pgteal; `green_port` is another way to green than its own port."""

    def __init__(self, name, *options, green_port=None):
        self.name, self.db, self.green_port, self.child = name, "bench_" + name, green_port, None
        self.options = ["--name", name, *options]

    def set_up(self, pair):
        self.run(pair)

    def start(self, pair, *more):
        env = dict(os.environ, PGTEAL_SOURCE=pair.blue.conninfo("bench"),
                   PGTEAL_TARGET=pair.green.conninfo(self.db, port=self.green_port))
        self.child = subprocess.Popen([PGTEAL, "--log-level", "warn", "run", "--copy", "none", *self.options, *more],
                                      env=env)
        atexit.register(self.child.kill)  # what ends the bench ends it too

    def cpu(self):
        return cpu.times(self.child.pid)[0]

    def ended(self, expected):
        _, status, usage = os.wait4(self.child.pid, 0)
        self.child.returncode = os.waitstatus_to_exitcode(status)
        if self.child.returncode != expected:
            sys.exit(f"{self.name} ended with status {self.child.returncode}")
        self.child = None
        return {"cpu": round(usage.ru_utime + usage.ru_stime, 2), "peak_rss_mb": usage.ru_maxrss // 1024}

    def run(self, pair):
        start = time.monotonic()
        self.start(pair, "--until-caught-up")
        details = self.ended(0)
        return time.monotonic() - start, details

    def stop(self, pair):
        if self.child:
            self.child.send_signal(signal.SIGTERM)
            self.ended(130)


class Reader:
    """Reads the stream and drops it: as long as blue's walsender takes, whoever applies what it sends."""

    program = os.path.join(ROOT, "build/release/read_stream")

    def __init__(self, name="reader"):
        self.name, self.db = name, None

    def set_up(self, pair):
        pair.blue.sql(f"SELECT pg_create_logical_replication_slot('{self.name}', 'pgoutput')", "bench")

    def run(self, pair):
        start = time.monotonic()
        subprocess.run([self.program, pair.blue.conninfo("bench"), self.name], check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - start, {}

    def stop(self, pair):
        pass


class Subscription:
    """PostgreSQL's own; its CPU time is that of its workers on green."""

    def __init__(self, options="default", name="sub"):
        self.name, self.db, self.options, self.child = name, "bench_" + name, SUBSCRIPTION_OPTIONS[options], None

    def set_up(self, pair):
        pair.blue.sql(f"SELECT pg_create_logical_replication_slot('{self.name}', 'pgoutput')", "bench")
        pair.green.sql(f"CREATE SUBSCRIPTION {self.name} CONNECTION '{pair.blue.conninfo('bench')}'"
                       f" PUBLICATION {self.name} WITH (create_slot = false, slot_name = '{self.name}',"
                       f" copy_data = false, enabled = false{self.options})", self.db)

    def start(self, pair):
        pair.green.sql(f"ALTER SUBSCRIPTION {self.name} ENABLE", self.db)

    def run(self, pair):
        start = time.monotonic()
        self.start(pair)
        wait_for_slot(pair, self.name)
        return time.monotonic() - start, {}

    def cpu(self):
        return 0.0

    def stop(self, pair):
        pair.green.sql(f"ALTER SUBSCRIPTION {self.name} DISABLE", self.db)


def digest(server, db):
    tables = server.sql("SELECT format('%I', relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1", db)
    # In one session: a session for each table would take longer than its digest.
    return server.sql("".join(f"SELECT '{t} ' || count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)"
                              f" FROM {t} AS t;" for t in tables.split("\n")), db)


def compare(pair, contenders, what):
    want = digest(pair.blue, "bench")
    for contender in filter(lambda c: c.db, contenders):
        if digest(pair.green, contender.db) != want:
            sys.exit(f"{what}: {contender.db} differs from blue: no number counts")


def set_up(pair, schema, contenders):
    for server in (pair.blue, pair.green):
        server.sql("CREATE ROLE probe SUPERUSER LOGIN")
    for server, db in [(pair.blue, "bench")] + [(pair.green, c.db) for c in contenders if c.db]:
        server.sql(f"CREATE DATABASE {db}")
        server.sql(schema, db)
    pair.blue.sql("".join(f"CREATE PUBLICATION {c.name} FOR ALL TABLES;" for c in contenders), "bench")
    for contender in contenders:
        contender.set_up(pair)


def in_turns(contenders, turn):
    first = turn % len(contenders)
    return contenders[first:] + contenders[:first]
