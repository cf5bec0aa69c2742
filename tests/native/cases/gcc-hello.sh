#: about: gcc compiles and links hello.c, which then runs
cat >hello.c <<'END'
#include <stdio.h>
int main(int argc, char** argv) {
  printf("hello, %d arguments\n", argc - 1);
  return argc;
}
END
gcc -O2 -Wall -o hello hello.c && ./hello a b
echo "status $?"
gcc -S -o - hello.c | grep -c main
echo 'int main( {' >bad.c
gcc -c bad.c 2>&1 | grep -c error
