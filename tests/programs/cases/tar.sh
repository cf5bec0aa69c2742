#: about: tar c | tar x of real files, with hard links, symbolic links, sparse files, long names, compression
#: needs: tar gzip
#: on: host pip
export LC_ALL=C
set -o pipefail
mkdir in out again
cp -a /usr/lib/python3.11/json /usr/lib/python3.11/email in/
long=$(printf 'n%.0s' {1..120}); mkdir -p in/$long/$long; echo deep >in/$long/$long/$long
ln in/json/__init__.py in/hard; ln -s json/__init__.py in/soft; truncate -s 3M in/sparse; echo end >>in/sparse; mkfifo in/fifo
chmod 751 in/json; chmod 400 in/email/__init__.py
tar c in | tar x -C out; echo "${PIPESTATUS[*]}"
diff -r --no-dereference in/json out/in/json && echo same
stat -c '%h %a %s' out/in/hard out/in/sparse out/in/json out/in/email/__init__.py
tar cSzf all.tgz --sort=name --mtime=2001-01-01 --owner=0 --group=0 --numeric-owner in; tar tzf all.tgz | sort | sha256sum
tar xzf all.tgz -C again; (cd again && find . | sort | sha256sum)
tar cf two.tar -C in soft sparse && tar rf two.tar -C in hard && tar tf two.tar
tar df two.tar -C in && echo "no difference"
tar xf two.tar -O sparse | sha256sum
tar cf - --exclude='*.py' in | tar tf - | wc -l
tar xf nothing 2>&1 | head -1; echo cut | tar x 2>&1 | head -1
rm -rf in again all.tgz two.tar
