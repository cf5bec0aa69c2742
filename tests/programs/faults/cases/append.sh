#: about: each line appended once, one open file for all and one open for each; then sqlite3 in transactions
#: needs: sqlite3
for ((i = 0; i < 3000; i++)); do echo "line $i"; done >>kept-open
for ((i = 0; i < 500; i++)); do echo "line $i" >>opened-again; done
for ((i = 0; i < 100; i++)); do echo "$i" >"new.$i" && mv "new.$i" "renamed.$i"; done
for i in {1..30}; do echo "INSERT INTO t VALUES($i);"; done | sqlite3 -cmd 'CREATE TABLE t(x)' a.db
sqlite3 a.db 'PRAGMA integrity_check; SELECT count(*), sum(x) FROM t'
