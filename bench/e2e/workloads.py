"""Workloads of the stream bench. `schema` runs on blue and on both greens, `write` makes the backlog."""
import subprocess

from servers import DEBIAN_BIN


def pgbench(server, db, script, transactions, clients):
    subprocess.run([DEBIAN_BIN + "/pgbench", "-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", "-n",
                    "-c", str(clients), "-j", "2", "-t", str(max(1, transactions // clients)), *script, db],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def loop(body, count):
    """One transaction per turn, on the server, so that making the backlog costs little."""
    return f"DO $do$ BEGIN FOR i IN 1..{count} LOOP {body} COMMIT; END LOOP; END $do$;"


class Workload:
    def __init__(self, name, title, changes, schema, write, bar):
        self.name, self.title, self.changes, self.bar = name, title, changes, bar
        self.schema, self.write = schema, write


def tpcb(size):
    count = max(8, int(100_000 * size))
    scale = max(1, int(20 * size))
    schema = f"""
CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));
CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88));
CREATE TABLE pgbench_tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84));
CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22),
                              id bigserial PRIMARY KEY);
INSERT INTO pgbench_accounts SELECT i, (i - 1) / 100000 + 1, 0, '' FROM generate_series(1, {scale} * 100000) i;
INSERT INTO pgbench_branches SELECT i, 0, NULL FROM generate_series(1, {scale}) i;
INSERT INTO pgbench_tellers SELECT i, (i - 1) / 10 + 1, 0, NULL FROM generate_series(1, {scale} * 10) i;
VACUUM ANALYZE;"""
    return Workload("tpcb", f"{count} pgbench TPC-B transactions, 8 clients", count * 4, schema,
                    lambda blue, db: pgbench(blue, db, ["-b", "tpcb-like", "-s", str(scale)], count, 8), (2.0, 2.6))


def inserts(size):
    count = max(10, int(1000 * size))
    return Workload(
        "inserts", f"{count * 1000} inserts in {count} transactions", count * 1000,
        "CREATE TABLE ins (id bigserial PRIMARY KEY, a int, b text, c timestamptz);",
        lambda blue, db: blue.sql(loop("INSERT INTO ins (a, b, c) SELECT g, 'row number ' || g || ' of the bench',"
                                       " clock_timestamp() FROM generate_series(1, 1000) g;", count), db), (1.35, 2.0))


def updates(size):
    count = max(10, int(5000 * size))
    rows = max(1000, int(500_000 * size))
    return Workload(
        "updates", f"{count * 100} updates by key in {count} transactions", count * 100,
        f"CREATE TABLE upd (id int PRIMARY KEY, a int, b text, c timestamptz);"
        f"INSERT INTO upd SELECT g, 0, 'row number ' || g || ' of the bench', now() FROM generate_series(1, {rows}) g;"
        f"VACUUM ANALYZE upd;",
        lambda blue, db: blue.sql(loop(f"UPDATE upd SET a = a + 1, c = clock_timestamp() WHERE id = ANY"
                                       f" (SELECT 1 + (i * 100 + g)::bigint * 7919 % {rows} FROM generate_series(1, 100) g);",
                                       count), db), (1.5, 1.8))


def huge(size):
    rows = max(10_000, int(2_000_000 * size))
    return Workload(
        "huge", f"one transaction of {rows} inserts", rows,
        "CREATE TABLE huge (id bigint PRIMARY KEY, a int, b text);",
        lambda blue, db: blue.sql("INSERT INTO huge SELECT g + (SELECT coalesce(max(id), 0) FROM huge), g::int,"
                                  f" 'row number ' || g FROM generate_series(1, {rows}) g;", db), (3.0, 3.0))


MIXED_BODY = """
 n := 1 + floor(20 * random() ^ 2)::int;
 EXECUTE format('INSERT INTO mix%s (k, v, t) SELECT g %% 1000, g, CASE WHEN g %% 10 = 0 THEN repeat(md5(g::text), 100) END FROM generate_series(1, 10) g', n);
 EXECUTE format('UPDATE mix%s SET v = v + 1 WHERE id IN (SELECT (1 + floor(5000 * random() ^ 3))::int FROM generate_series(1, 10))', n);
 EXECUTE format('DELETE FROM mix%s WHERE id IN (SELECT (5001 + floor(5000 * random()))::int FROM generate_series(1, 2))', n);
 INSERT INTO uniq (email) VALUES ('u' || i || '@x' || txid_current());
 k := 1 + floor(i * random())::int;
 UPDATE uniq SET email = email || '.org' WHERE id = k;
"""


def mixed(size):
    count = max(10, int(20_000 * size))
    tables = "".join(f"CREATE TABLE mix{n} (id serial PRIMARY KEY, k int, v bigint, t text);"
                     f"ALTER TABLE mix{n} ALTER t SET STORAGE EXTERNAL;"
                     f"INSERT INTO mix{n} (k, v) SELECT g % 1000, g FROM generate_series(1, 10000) g;"
                     for n in range(1, 21))
    body = f"DO $do$ DECLARE n int; k int; BEGIN FOR i IN 1..{count} LOOP {MIXED_BODY} COMMIT; END LOOP; END $do$;"
    return Workload("mixed", f"{count} mixed transactions over 20 tables", count * 23,
                    tables + "CREATE TABLE uniq (id serial PRIMARY KEY, email text UNIQUE); VACUUM ANALYZE;",
                    lambda blue, db: blue.sql(body, db), (1.6, 2.0))


ALL = {w.__name__: w for w in (tpcb, inserts, updates, huge, mixed)}
