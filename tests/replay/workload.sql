-- What the fixtures record. Every value is fixed: the result is the same on every version.
INSERT INTO types VALUES
  (1, -32768, 9223372036854775807, 123456789.000000001, 1.5, -2.25e-300, true, E'a\tb\\c''d"é€😀',
   'varying', 'ab', '\x00ff10', '2024-02-29', '1999-12-31 23:59:59.999999',
   '2024-07-01 12:00:00.5+02', '23:59:59.5', '1 year 2 mons -3 days 04:05:06',
   'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": [1, null]}', '{"k": {"n": 1.50}}', '{1,NULL,3}',
   '{"x y","",NULL,"q\"r"}', 'happy', '(7,"a,b")', 42, '[1,10)', '{[1,3),[5,7)}', '10.0.0.1/8',
   '192.168.0.0/16', '08:00:2b:01:02:03', B'10110', '(1.5,-2)', 'a fat cat', '16/B374D848');
INSERT INTO types (id) VALUES (2);
INSERT INTO types (id, n, f4, f8, d, ts, tz, ints, r, t) VALUES
  (3, 'NaN', 'Infinity', '-Infinity', 'infinity', '-infinity', 'infinity', '[0:1]={5,6}', 'empty', ''),
  (4, -0.0001, 'NaN', 1e308, '0044-03-15 BC', '294276-12-31 00:00', '0001-01-01 00:00+00 BC', '{}',
   '(,)', ' ');
UPDATE types SET i2 = 5, m = 'sad', texts = '{}', p = NULL WHERE id = 1;
DELETE FROM types WHERE id = 2;

INSERT INTO by_default SELECT g, g % 3, 'v' || g FROM generate_series(1, 12) g;
UPDATE by_default SET v = 'changed' WHERE a < 4;
UPDATE by_default SET a = a + 100, v = NULL WHERE a = 5;
DELETE FROM by_default WHERE a BETWEEN 7 AND 9;
INSERT INTO by_index VALUES (1, 'one', 'v'), (2, 'two', NULL), (3, 'three', 'v');
UPDATE by_index SET v = 'w' WHERE code = 'one';
UPDATE by_index SET code = 'zwei' WHERE code = 'two';
DELETE FROM by_index WHERE code = 'three';
INSERT INTO by_full VALUES (1, 'twin'), (1, 'twin'), (1, 'twin'), (2, NULL), (NULL, NULL);
UPDATE by_full SET v = 'alone' WHERE ctid = (SELECT min(ctid) FROM by_full);
DELETE FROM by_full WHERE ctid = (SELECT min(ctid) FROM by_full WHERE v = 'twin');
DELETE FROM by_full WHERE a IS NULL;
INSERT INTO by_nothing VALUES (1, 'x'), (1, 'x');

INSERT INTO toasted VALUES (1, 1, repeat('a', 3000)), (2, 1, repeat('b', 3000)), (3, 1, 'short');
UPDATE toasted SET n = 2;
UPDATE toasted SET big = repeat('c', 2500) WHERE id = 2;
UPDATE toasted SET id = 4 WHERE id = 1;
INSERT INTO toasted_full VALUES (1, 1, repeat('d', 3000)), (2, 1, repeat('e', 3000));
UPDATE toasted_full SET n = 2 WHERE id = 1;
DELETE FROM toasted_full WHERE id = 2;

INSERT INTO parent VALUES (1, 'p'), (2, 'q');
INSERT INTO child VALUES (1, 1);
TRUNCATE parent RESTART IDENTITY CASCADE;
INSERT INTO parent (v) VALUES ('after truncate');
INSERT INTO parts SELECT g, 'p' FROM generate_series(90, 110, 5) g;
UPDATE parts SET id = id + 100 WHERE id = 90;
DELETE FROM parts WHERE id = 105;
INSERT INTO "Odd ""name""" VALUES (1, 'from'), (2, 'where');
UPDATE "Odd ""name""" SET "select" = NULL WHERE "the key" = 2;

-- Several changes of one row in one transaction, and a key that moves in a circle.
BEGIN;
INSERT INTO by_default VALUES (500, 0, 'new');
UPDATE by_default SET v = 'newer' WHERE a = 500;
DELETE FROM by_default WHERE a = 500;
INSERT INTO by_default VALUES (500, 0, 'newest');
UPDATE by_default SET a = 501 WHERE a = 500;
UPDATE by_default SET a = 500 WHERE a = 501;
COMMIT;
BEGIN;
INSERT INTO by_default VALUES (900, 9, 'never seen');
ROLLBACK;

-- Small subtransactions, one rolled back.
BEGIN;
INSERT INTO by_default VALUES (600, 0, 'outer');
SAVEPOINT a;
INSERT INTO by_default VALUES (601, 0, 'rolled back');
ROLLBACK TO a;
SAVEPOINT b;
INSERT INTO by_default VALUES (602, 0, 'kept');
RELEASE b;
COMMIT;

-- Large enough to be streamed before its commit, with rolled back parts.
BEGIN;
INSERT INTO streamed SELECT g, repeat('f', 1800) FROM generate_series(1, 45) g;
SAVEPOINT a;
INSERT INTO streamed SELECT g, repeat('g', 1800) FROM generate_series(101, 145) g;
SAVEPOINT b;
UPDATE streamed SET v = repeat('h', 1800) WHERE id <= 5;
ROLLBACK TO a;
SAVEPOINT c;
INSERT INTO streamed SELECT g, repeat('i', 1800) FROM generate_series(201, 245) g;
RELEASE c;
DELETE FROM streamed WHERE id % 2 = 0;
COMMIT;
-- Streamed and rolled back as a whole.
BEGIN;
INSERT INTO streamed SELECT g, repeat('j', 1800) FROM generate_series(301, 345) g;
ROLLBACK;

-- The table changes in the middle.
INSERT INTO grown VALUES (1, 'old shape');
ALTER TABLE grown ADD COLUMN w int DEFAULT 7;
INSERT INTO grown VALUES (2, 'new shape', 8);
UPDATE grown SET w = 9 WHERE id = 1;

SELECT pg_logical_emit_message(false, 'pgteal.test', 'outside') IS NOT NULL;
BEGIN;
SELECT pg_logical_emit_message(true, 'pgteal.test', 'inside') IS NOT NULL;
INSERT INTO by_default VALUES (700, 0, 'with a message');
COMMIT;
