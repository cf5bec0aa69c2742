#: about: javac, and a program of threads with locks, pools, atomics, an exception of the machine, a child, collections
#: needs: javac java
#: timeout: 180
#: quick: 0
cat >Work.java <<'END'
import java.io.*;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.stream.*;
import java.util.zip.*;

public class Work {
  static int shared;
  static synchronized void add() { shared++; }

  public static void main(String[] words) throws Exception {
    Thread[] threads = new Thread[8];
    AtomicLong atomic = new AtomicLong();
    CyclicBarrier barrier = new CyclicBarrier(threads.length);
    for (int i = 0; i < threads.length; i++) {
      threads[i] = new Thread(() -> {
        for (int j = 0; j < 20000; j++) { add(); atomic.addAndGet(j); }
        try { for (int j = 0; j < 50; j++) barrier.await(); } catch (Exception e) { System.out.println(e); }
      });
      threads[i].start();
    }
    for (Thread t : threads) t.join();
    System.out.println(shared + " " + atomic);

    ExecutorService pool = Executors.newFixedThreadPool(4);
    List<Future<Long>> parts = new ArrayList<>();
    for (int i = 0; i < 16; i++) {
      int seed = i;
      parts.add(pool.submit(() -> {
        CRC32 crc = new CRC32();
        byte[] block = new byte[4096];
        Random random = new Random(seed);
        for (int j = 0; j < 100; j++) { random.nextBytes(block); crc.update(block); }
        return crc.getValue();
      }));
    }
    for (Future<Long> part : parts) System.out.print(Long.toHexString(part.get()) + " ");
    System.out.println();
    pool.shutdown();
    System.out.println(pool.awaitTermination(10, TimeUnit.SECONDS));

    System.out.println(IntStream.range(0, 200000).parallel().mapToLong(n -> (long) n * n % 7).sum());
    SynchronousQueue<Integer> queue = new SynchronousQueue<>();
    Thread producer = new Thread(() -> { try { for (int i = 0; i < 2000; i++) queue.put(i); } catch (InterruptedException e) { } });
    producer.start();
    long sum = 0;
    for (int i = 0; i < 2000; i++) sum += queue.take();
    System.out.println(sum);

    int caught = 0;
    for (int i = 0; i < 20000; i++) { int[] none = i % 2 == 0 ? null : new int[1]; try { caught += none[0]; } catch (NullPointerException e) { caught++; } }
    System.out.println(caught);
    try { deep(0); } catch (StackOverflowError e) { System.out.println("overflow"); }
    List<byte[]> garbage = new ArrayList<>();
    for (int i = 0; i < 20000; i++) { if (garbage.size() > 200) garbage.clear(); garbage.add(new byte[10000]); }
    System.gc();

    Thread sleeper = new Thread(() -> { try { Thread.sleep(100000); } catch (InterruptedException e) { System.out.println("interrupted"); } });
    sleeper.start(); sleeper.interrupt(); sleeper.join();
    Process child = new ProcessBuilder("sh", "-c", "read x; echo got $x; exit 3").redirectErrorStream(true).start();
    try (Writer to = new OutputStreamWriter(child.getOutputStream())) { to.write("line\n"); }
    System.out.print(new String(child.getInputStream().readAllBytes()));
    System.out.println(child.waitFor());
    Path file = Files.writeString(Path.of("out"), "text".repeat(1000));
    System.out.println(Files.size(file));
    Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
    System.exit(4);
  }

  static int deep(int n) { return deep(n + 1) + 1; }
}
END
unset JAVA_TOOL_OPTIONS
javac -J-XX:-UsePerfData Work.java; echo "javac $?"
for gc in Serial Parallel G1; do java -XX:-UsePerfData -XX:+Use${gc}GC -Xmx128m -Xss512k Work; echo "$gc $?"; done
