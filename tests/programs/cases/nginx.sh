#: about: nginx with two workers: fixed answers under ab and wrk, a reload, and the log counts what was asked
#: quick: 0
#: needs: nginx ab wrk curl pgrep
#: timeout: 120
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir www tmp; seq 1 2000 >www/numbers; head -c 300000 /dev/zero | tr '\0' z >www/large
[ "$(id -u)" != 0 ] || user='user root;'
cat >conf <<END
$user
daemon off; worker_processes 2; pid $PWD/pid; error_log $PWD/error;
events { worker_connections 200; }
http {
  access_log $PWD/access; sendfile on; keepalive_requests 100000;
  client_body_temp_path tmp/a; proxy_temp_path tmp/b; fastcgi_temp_path tmp/c; uwsgi_temp_path tmp/d; scgi_temp_path tmp/e;
  server { listen 127.0.0.1:$port; root $PWD/www; location = /hello { return 200 "hello\n"; } }
}
END
nginx -p "$PWD" -c "$PWD/conf" -e "$PWD/error" &
server=$! url=http://127.0.0.1:$port
until curl -s -o /dev/null $url/hello; do sleep 0.05; done
: >access.start; wc -l <access >access.start
curl -s $url/hello; curl -s $url/numbers | cksum; curl -s $url/large | cksum; curl -s -o /dev/null -w '%{http_code}\n' $url/none
curl -s -r 10-19 $url/numbers | od -An -c
for path in hello numbers large; do
  ab -q -k -n 600 -c 10 $url/$path 2>&1 | grep -E '^(Complete|Failed|Non-2xx|Document Length|HTML transferred)'
done
ab -q -n 300 -c 10 $url/numbers 2>&1 | grep -E '^(Complete|Failed|HTML)'
old=$(pgrep -P $server); kill -HUP $server
for worker in $old; do while kill -0 "$worker" 2>/dev/null; do sleep 0.05; done; done
curl -s $url/hello
wrk -t 2 -c 20 -d 1 $url/hello >told 2>&1; grep -E 'Socket errors|Non-2xx' told
awk '/requests in/ { print ($1 > 0 ? "served" : "none") }' told
grep -E -c '" (400|5..) ' access
kill -QUIT $server; wait $server; echo "nginx $?"
# What wrk leaves unanswered at its end is in the log or not: only ab's and curl's requests are counted.
grep -c ApacheBench access; grep -c curl access | awk -v n="$(cat access.start)" '{ print $1 - n }'
grep -E 'alert|emerg|crit' error
rm -rf access* error tmp told conf
