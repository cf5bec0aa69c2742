#: about: redis-server with two io-threads under redis-benchmark with two threads; every request counts once
#: needs: redis-server redis-cli redis-benchmark
#: timeout: 120
#: quick: 1
redis-server --port 0 --unixsocket "$PWD/sock" --dir "$PWD" --save '' --logfile "$PWD/log" --daemonize no \
  --io-threads 2 --io-threads-do-reads yes &
cli() { redis-cli -s sock "$@"; }
until cli ping 2>/dev/null | grep -q PONG; do :; done
cli CONFIG GET io-threads
redis-benchmark -s sock -q --threads 2 -c 20 -P 4 -n 8000 -d 100 -t incr,lpush,sadd,hset,zadd,set,get >speed 2>&1
echo "benchmark $?"
cli GET counter:__rand_int__; cli LLEN mylist; cli DBSIZE; cli STRLEN key:__rand_int__
cli CONFIG RESETSTAT
redis-benchmark -s sock -q -c 50 -n 4000 -r 100000000000 ECHO text >speed 2>&1
cli INFO commandstats | grep -o 'cmdstat_echo:calls=[0-9]*'
cli INFO stats | grep -E '^(rejected_connections|unexpected_error_replies|total_error_replies):'
cli SHUTDOWN NOSAVE; wait %1; echo "server $?"
rm -f log speed
