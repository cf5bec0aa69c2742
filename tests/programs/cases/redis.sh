#: about: redis-server with redis-cli: load, BGSAVE, shutdown, reload, append-only file, publish/subscribe
#: needs: redis-server redis-cli
#: opaque: *.rdb
#: opaque: *appendonlydir/*
#: timeout: 120
#: quick: 2
start() {
  redis-server --port 0 --unixsocket "$PWD/sock" --dir "$PWD" --save '' --logfile "$PWD/log" --daemonize no "$@" &
  until redis-cli -s sock ping 2>/dev/null | grep -q PONG; do :; done
}
cli() { redis-cli -s sock "$@"; }
start --enable-debug-command yes
seq 1 20000 | sed 's/.*/SET key:& value:&/' | cli --pipe 2>&1 | tail -1
cli DBSIZE
seq 1 500 | sed 's/.*/RPUSH list &/' | cli >/dev/null
cli LRANGE list 0 3; cli LLEN list
cli EVAL 'local s = 0; for i = 1, 100 do s = s + redis.call("incr", KEYS[1]) end; return s' 1 counter
cli --no-raw HSET hash a 1 b 2; cli --no-raw HGETALL hash; cli ZADD z 3 c 1 a 2 b; cli ZRANGE z 0 -1 WITHSCORES
before=$(cli DEBUG DIGEST); echo "$before"
cli BGSAVE
until cli INFO persistence | grep -q 'rdb_bgsave_in_progress:0'; do :; done
cli INFO persistence | grep -c 'rdb_last_bgsave_status:ok'
redis-cli -s sock --csv SUBSCRIBE news >heard & listener=$!
until [ "$(cli PUBLISH news hello)" = 1 ]; do :; done
until grep -q hello heard; do :; done
{ kill $listener; wait $listener; } 2>/dev/null; cat heard
(cli BLPOP queue 0 >popped) & until cli CLIENT LIST | grep -q cmd=blpop; do :; done; cli RPUSH queue item; wait $!; cat popped
cli SET fleeting x PX 1 >/dev/null; until [ "$(cli EXISTS fleeting)" = 0 ]; do :; done; echo expired
cli SHUTDOWN SAVE; wait %1; echo "server $?"
start --dbfilename dump.rdb --enable-debug-command yes
cli DBSIZE; [ "$(cli DEBUG DIGEST)" = "$before" ] && echo "same digest"
cli CONFIG SET appendonly yes; cli SET after reload; cli BGREWRITEAOF >/dev/null
until cli INFO persistence | grep -q 'aof_rewrite_in_progress:0'; do :; done
kill %%; wait %%; echo "server $?"
rm -rf log appendonlydir heard popped
