#: about: tar and zstd: pack, compress, test, unpack, compare
mkdir tree
for i in $(seq 1 200); do seq 1 $i >tree/file-$i; done
ln -s file-1 tree/link
ln tree/file-2 tree/hard
tar cf - tree | zstd -q -3 -o tree.tar.zst
zstd -t -q tree.tar.zst && echo whole
mkdir out
zstd -dc tree.tar.zst | tar xf - -C out
diff -r tree out/tree && echo equal
readlink out/tree/link
find out -type f | wc -l
zstd -dc tree.tar.zst | sha256sum | wc -c
