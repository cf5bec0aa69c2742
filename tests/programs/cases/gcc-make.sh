#: about: make -j2 of a small C project with gcc, ar and a static library; then runs it
#: needs: gcc make ar
#: on: host pip
#: timeout: 120
#: quick: 1
mkdir src
for i in 1 2 3 4 5 6; do
  cat >src/m$i.c <<END
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "all.h"
double m$i(double x) { char b[64]; snprintf(b, sizeof b, "%.3f", x); return sin(x) * $i + (double)strlen(b); }
END
  echo "double m$i(double x);" >>src/all.h
done
cat >src/main.c <<'END'
#include <stdio.h>
#include "all.h"
int main(void) {
  double s = 0;
  for (int i = 0; i < 1000; i++) s += m1(i) + m2(i) - m3(i) + m4(i) * m5(i) - m6(i);
  printf("%.6f\n", s);
  return 11;
}
END
cat >src/Makefile <<'END'
CFLAGS = -O2 -g -Wall
objects = m1.o m2.o m3.o m4.o m5.o m6.o
prog: main.o libm6.a
	$(CC) $(CFLAGS) -o $@ main.o -L. -lm6 -lm
libm6.a: $(objects)
	ar rcD $@ $^
%.o: %.c all.h
	$(CC) $(CFLAGS) -c -o $@ $<
clean:
	rm -f *.o *.a prog
END
make -s -C src -j2 2>&1 && ./src/prog
echo "status $?"
make -C src -q; echo "up to date $?"
touch src/all.h; make -C src -n | wc -l
nm src/libm6.a | grep -c ' T '; objdump -d src/prog | grep -c '<main>:'; strip -o stripped src/prog; ./stripped; size src/prog | wc -l
echo 'int main(void) { return x; }' >src/bad.c; gcc -c src/bad.c -o bad.o 2>&1 | grep -c error; echo "gcc ${PIPESTATUS[0]}"
echo 'all: ; @exit 3' >bad.mk; make -f bad.mk 2>&1; echo "make $?"
g++ -x c++ -O1 -o cxx - <<'END' && ./cxx
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
int main() {
  std::map<std::string, int> m; std::thread t([&] { m["a"] = 1; }); t.join();
  try { m.at("b"); } catch (std::out_of_range &) { std::cout << "caught " << m.size() << "\n"; }
}
END
gcc -shared -fPIC -o libshared.so -x c - <<<'int shared(void) { return 5; }'
gcc -o uses -x c - -L. -lshared -Wl,-rpath,'$ORIGIN' <<<'int shared(void); int main(void) { return shared(); }'; ./uses; echo "shared $?"
rm -rf src/*.o
