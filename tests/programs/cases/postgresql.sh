#: about: PostgreSQL: initdb, a server, pgbench with eight clients, the sums agree, a restart, a dump
#: needs: pgbench
#: users: plain
#: ignore: data*
#: ignore: log
#: timeout: 300
#: quick: 0
PATH=$(echo /usr/lib/postgresql/*/bin | tail -1):$PATH
# initdb wants its user to have a name.
echo "plain:x:$(id -u):$(id -g):plain:$PWD:/bin/sh" >passwd; echo "plain:x:$(id -g):" >group
export NSS_WRAPPER_PASSWD=$PWD/passwd NSS_WRAPPER_GROUP=$PWD/group LD_PRELOAD=${LD_PRELOAD:+$LD_PRELOAD:}libnss_wrapper.so
export PGHOST=$PWD/s PGDATA=$PWD/data PGUSER=plain PGDATABASE=postgres
mkdir s
initdb -A trust --no-sync >log 2>&1; echo "initdb $?"
pg_ctl -w -l log -o "-c listen_addresses='' -c unix_socket_directories='$PWD/s' -c fsync=off" start >/dev/null; echo "start $?"
sql() { psql -XAtq "$@"; }
pgbench -q -i -s 1 >>log 2>&1; echo "init $?"
pgbench -n -c 8 -j 2 -t 50 2>&1 | grep -E 'actually|failed'
pgbench -n -c 4 -t 50 -M prepared -S 2>&1 | grep -E 'actually|failed'
sql -c 'SELECT count(*), count(DISTINCT aid) > 0 FROM pgbench_history'
sql -c 'SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history),
  (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(bbalance) FROM pgbench_branches)'
sql -c "SELECT count(*), sum(length(md5(g::text))) FROM generate_series(1, 20000) g" -c 'SHOW max_connections'
sql -c "CREATE TABLE t AS SELECT g, md5(g::text) AS m FROM generate_series(1, 20000) g" -c 'CREATE INDEX ON t (m)' \
  -c 'SET max_parallel_workers_per_gather = 2' -c 'SET parallel_setup_cost = 0' -c 'SET parallel_tuple_cost = 0' \
  -c 'SET min_parallel_table_scan_size = 0' -c "SELECT count(*), min(m) FROM t WHERE m LIKE '%ab%'"
sql -c 'SELECT 1/0' 2>&1; sql -c "SELECT pg_sleep(10)" -v ON_ERROR_STOP=1 2>&1 & sleep 0.3
until [ "$(sql -c "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'")" = 1 ]; do :; done; wait $!
pg_ctl -w -m fast stop >/dev/null; echo "stop $?"
pg_ctl -w -l log -o "-c listen_addresses='' -c unix_socket_directories='$PWD/s'" start >/dev/null; echo "start $?"
pg_dump -t t | grep -v restrict | cksum
pg_ctl -w -m immediate stop >/dev/null; echo "stop $?"
pg_ctl -w -l log -o "-c listen_addresses='' -c unix_socket_directories='$PWD/s'" start >/dev/null; echo "start $?"
sql -c 'SELECT count(*) FROM t'; pg_ctl -w stop >/dev/null; echo "stop $?"
grep -E 'PANIC|FATAL' log | grep -v 'starting up\|shutting down\|administrator command'
rm -rf data log s
