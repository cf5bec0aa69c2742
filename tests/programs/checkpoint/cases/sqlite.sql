.print begun
PRAGMA journal_mode=WAL;
CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT, v BLOB);
CREATE INDEX tk ON t(k);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150000)
  INSERT INTO t SELECT i, 'key' || (i * 7919 % 150011), zeroblob(i % 97) FROM n;
COMMIT;
BEGIN;
UPDATE t SET k = k || 'x' WHERE id % 3 = 0;
DELETE FROM t WHERE id % 7 = 0;
COMMIT;
VACUUM;
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 100001 UNION ALL SELECT i + 1 FROM n WHERE i < 250000)
  INSERT INTO t SELECT i, 'more' || (i * 31 % 150011), randomblob(0) FROM n;
COMMIT;
PRAGMA journal_mode=DELETE;
PRAGMA integrity_check;
SELECT count(*), sum(length(v)), min(k), max(k), sum(id) FROM t;
