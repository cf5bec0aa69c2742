#: about: sqlite3: transactions, WAL, indices, vacuum, integrity_check, two processes on one database
#: needs: sqlite3
#: on: host pip
set -o pipefail
sqlite3 a.db <<'SQL'
PRAGMA journal_mode=WAL;
CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT, v BLOB);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 20000)
  INSERT INTO t SELECT i, 'key' || (i * 7919 % 20011), zeroblob(i % 97) FROM n;
COMMIT;
CREATE INDEX tk ON t(k);
BEGIN; DELETE FROM t WHERE id % 3 = 0; SAVEPOINT s; DELETE FROM t; ROLLBACK TO s; COMMIT;
UPDATE t SET k = k || 'x' WHERE id % 5 = 0;
SELECT count(*), sum(length(v)), min(k), max(k) FROM t;
PRAGMA wal_checkpoint(TRUNCATE);
PRAGMA integrity_check;
BEGIN; INSERT INTO t(k) VALUES('never'); ROLLBACK;
SELECT k, id FROM t ORDER BY k LIMIT 3;
PRAGMA journal_mode=DELETE;
VACUUM;
ATTACH 'b.db' AS b; CREATE TABLE b.copy AS SELECT * FROM t WHERE id < 1000;
SELECT count(*) FROM b.copy;
.backup c.db
.mode csv
SELECT id, k FROM t WHERE k LIKE 'key19%' ORDER BY id LIMIT 5;
SQL
echo "status $?"
sqlite3 c.db 'PRAGMA integrity_check; SELECT count(*) FROM t' && cmp -s a.db c.db; sha256sum <(sqlite3 c.db .dump) | cut -c1-16
sqlite3 d.db 'PRAGMA journal_mode=WAL; CREATE TABLE n(x)'
for w in 1 2; do
  (for i in $(seq 1 15); do echo "PRAGMA busy_timeout=20000; INSERT INTO n VALUES($w);"; done | sqlite3 d.db >/dev/null) &
done
wait
sqlite3 d.db 'SELECT x, count(*) FROM n GROUP BY x; PRAGMA integrity_check; PRAGMA journal_mode=DELETE'
sqlite3 a.db 'SELECT nothing' 2>&1; echo "status $?"
sqlite3 /nowhere/x.db 'CREATE TABLE t(x)' 2>&1; echo "status $?"
rm d.db
