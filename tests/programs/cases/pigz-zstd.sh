#: about: pigz, zstd, xz and sort with two threads each: round trips of generated data
#: needs: pigz zstd xz
#: on: host pip
#: timeout: 120
#: quick: 1
seq 1 300000 | awk '{ print $1 * 7919 % 65537, $1 }' >data
cksum data
pigz -p 2 -k data; pigz -p 2 -dc data.gz | cksum; gzip -t data.gz; echo "gzip $?"
pigz -p 2 -1 -b 64 <data | pigz -d | cmp - data; echo "pipe ${PIPESTATUS[*]}"
zstd -q -T2 -3 data -o data.zst; zstd -q -dc data.zst | cksum; zstd -q -t data.zst; echo "zstd $?"
zstd -q -T2 --rsyncable <data | zstd -q -d -T2 | cmp - data; echo "pipe ${PIPESTATUS[*]}"
zstd -q -b1 -e1 -i0 data >/dev/null 2>&1; echo "bench $?"
xz -T2 -0 --block-size=500000 -k data; xz -T2 -dc data.xz | cksum
sort --parallel=2 -S 1M -n data | cksum
head -c 1000 data.gz >cut.gz; pigz -d cut.gz 2>/dev/null; echo "cut $?"
rm -f data* cut*
