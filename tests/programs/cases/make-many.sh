#: about: make -j2 of 40 generated C files in four folders, each a make of its own, then a run
#: needs: gcc make ar
#: timeout: 180
#: quick: 0
for d in 1 2 3 4; do
  mkdir -p p/d$d
  for f in 1 2 3 4 5 6 7 8 9 10; do
    echo "#include <stdio.h>
int f${d}_$f(int x) { char b[32]; return snprintf(b, sizeof b, \"%d\", x * $d + $f); }" >p/d$d/f$f.c
  done
  printf 'objects := $(patsubst %%.c,%%.o,$(wildcard *.c))\nlib.a: $(objects)\n\t@rm -f $@; ar rcD $@ $^\n%%.o: %%.c\n\t@gcc -O1 -c -o $@ $<\n' >p/d$d/Makefile
done
{
  echo '#include <stdio.h>'
  for d in 1 2 3 4; do for f in 1 2 3 4 5 6 7 8 9 10; do echo "int f${d}_$f(int);"; done; done
  echo 'int main(void) { int s = 0; for (int i = 0; i < 1000; i++) s += 0'
  for d in 1 2 3 4; do for f in 1 2 3 4 5 6 7 8 9 10; do echo "+ f${d}_$f(i)"; done; done
  echo '; printf("%d\n", s); return 0; }'
} >p/main.c
cat >p/Makefile <<'END'
dirs := d1 d2 d3 d4
prog: main.o $(dirs:%=%/lib.a)
	@gcc -o $@ $^
main.o: main.c
	@gcc -c -o $@ $<
d%/lib.a: FORCE
	@$(MAKE) -s --no-print-directory -C d$*
FORCE:
END
make -s -j2 -C p; echo "make $?"; p/prog; make -s -j2 -C p; echo "again $?"
echo 'syntax error' >p/d3/f5.c; make -s -j2 -k -C p >/dev/null 2>&1; echo "bad $?"
rm -rf p
